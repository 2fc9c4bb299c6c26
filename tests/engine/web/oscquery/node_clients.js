// Two clients that others wrote, on a show at 127.0.0.1: `oscquery` reads the namespace, `osc-js` listens and sends.
// node node_clients.js PORT prints one JSON object with what they saw.
const { OSCQueryDiscovery } = require("oscquery")
const OSC = require("osc-js")

const port = Number(process.argv[2])

async function readNamespace() {
  const service = await new OSCQueryDiscovery().queryNewService("127.0.0.1", port)
  const described = (path) => {
    const { full_path, description, arguments: values } = service.flat().find((one) => one.full_path === path)
    return { path: full_path, description, ...values[0] }
  }
  return {
    name: service.hostInfo.name,
    oscPort: service.hostInfo.oscPort,
    methods: service.flat().length,
    zoom: described("/fluid/zoom"),
    order: described("/fluid/order"),
  }
}

function listen() {
  return new Promise((resolve, reject) => {
    const plugin = new OSC.WebsocketClientPlugin({ host: "127.0.0.1", port })
    const osc = new OSC({ plugin })
    const came = []
    setTimeout(() => reject(new Error(`only ${JSON.stringify(came)} came`)), 8000).unref()
    osc.on("*", (message) => {
      came.push([message.address, message.types, ...message.args])
      if (came.length === 2) {
        osc.send(new OSC.Message("/fluid/glow", 0.5))
        osc.send(new OSC.Message("/fluid/glow"))
      }
      if (came.length === 3) {
        osc.close()
        resolve(came)
      }
    })
    osc.on("open", () => {
      for (const address of ["/fluid/zoom", "/fluid/freeze"])
        plugin.socket.send(JSON.stringify({ COMMAND: "LISTEN", DATA: address }))
    })
    osc.open({ host: "127.0.0.1", port })
  })
}

Promise.all([readNamespace(), listen()])
  .then(([namespace, came]) => console.log(JSON.stringify({ namespace, came })))
  .then(() => process.exit(0))
  .catch((error) => { console.error(error); process.exit(1) })
