"""Frames of Server-Sent Events."""

from stream_api.sse import frame
from stream_api.wire import WireEvent


def test_a_frame_has_the_cursor_as_id_and_the_type_as_event() -> None:
    assert frame(WireEvent(3, "log", False, '{"seq":3}')) == b'id: 3\r\nevent: log\r\ndata: {"seq":3}\r\n\r\n'
