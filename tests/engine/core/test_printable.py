from engine.core.printable import printable


def test_what_steers_a_terminal_is_written_out() -> None:
    assert printable("tensor 'grün'") == "tensor 'grün'"
    assert printable("a\x1b[2Jb\u202ec\n") == "a\\x1b[2Jb\\u202ec\\n"
    assert printable("a" * 1000, 10) == "a" * 10
