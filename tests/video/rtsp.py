"""A small RTSP server on the loopback device: MPEG-4 video over interleaved TCP (RFC 2326, RFC 3016)."""

import re
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.video.support import write_clip

_PAYLOAD = 1400
_CLOCK = 90_000


def coded_frames(path: Path) -> list[bytes]:
    """The coded frames of an AVI file, from its ``00dc`` chunks."""
    content = path.read_bytes()
    start = content.index(b"movi") + 4
    found = []
    while start + 8 <= len(content) and content[start : start + 4] in (b"00dc", b"JUNK"):
        kind, size = content[start : start + 4], struct.unpack_from("<I", content, start + 4)[0]
        if kind == b"00dc":
            found.append(content[start + 8 : start + 8 + size])
        start += 8 + size + size % 2
    return found


class _Session(socketserver.StreamRequestHandler):
    """One client: answers requests, then sends each frame as RTP packets."""

    server: "RtspServer"

    def handle(self) -> None:
        """Answer until the client plays, then send."""
        with suppress(OSError):
            while request := self._request():
                method, number = request
                self._answer(method, number)
                if method == "PLAY":
                    self._send()
                    return

    def _request(self) -> tuple[str, str] | None:
        lines = []
        while (line := self.rfile.readline().decode().strip()) or not lines:
            if not line:
                return None
            lines.append(line)
        found = re.search(r"cseq: *(\d+)", "\n".join(lines), re.IGNORECASE)
        self.server.requests.append(lines[0])
        return lines[0].split()[0], found[1] if found else "0"

    def _answer(self, method: str, number: str) -> None:
        config = self.server.frames[0].split(b"\0\0\1\xb6")[0].hex().upper()
        sdp = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
            f"a=rtpmap:96 MP4V-ES/{_CLOCK}\r\na=fmtp:96 profile-level-id=1; config={config}\r\na=control:track\r\n"
        )
        more = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
            "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
        }.get(method, "Session: 1\r\n")
        self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n{sdp if method == 'DESCRIBE' else ''}".encode())

    def _send(self) -> None:
        sequence = 0
        for number in range(self.server.count):
            frame = self.server.frames[number % len(self.server.frames)]
            parts = [frame[start : start + _PAYLOAD] for start in range(0, len(frame), _PAYLOAD)]
            for part in parts:
                last = part is parts[-1]
                header = struct.pack(">BBHII", 0x80, 96 | (0x80 if last else 0), sequence & 0xFFFF, number * _CLOCK // 25, 1)
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(header) + len(part)) + header + part)
                sequence += 1
            if self.server.ending.wait(0.02):
                return


class RtspServer(socketserver.ThreadingTCPServer):
    """Sends ``count`` frames to each client, then closes the connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, frames: list[bytes], count: int) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.frames, self.count = frames, count
        self.requests: list[str] = []
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"rtsp://127.0.0.1:{self.server_address[1]}/live"


@contextmanager
def rtsp_server(folder: Path, *, count: int) -> Iterator[RtspServer]:
    """A running server of the frames of `write_clip`."""
    server = RtspServer(coded_frames(write_clip(folder / "rtsp.avi", 50, fps=25, codec="XVID")), count)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
