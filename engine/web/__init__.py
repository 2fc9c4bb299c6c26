"""The show on one port: the web page, OSCQuery, the preview and sound from a browser."""
