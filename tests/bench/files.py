"""The load of files.sh: asks for slots with slixmpp, uploads with curl, fetches ranges with wrk, and samples the server's memory."""

import asyncio
import os
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import slixmpp
from slixmpp.xmlstream import ET

address, pid, directory = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
uploads, megabytes, seconds = [int(given) for given in sys.argv[4:]] + [100, 100, 15][len(sys.argv) - 4 :]
SIZE = megabytes * 1_000_000
PIECE = 64 << 10
NS = "urn:xmpp:http:upload:0"


def resident():
    """The server's resident memory in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def processor():
    """The processor time that the server has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Measured:
    """Samples the memory five times a second as long as something goes on, and says what it was."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        self.samples, self.over = [resident()], threading.Event()
        self.begun, self.worked = time.monotonic(), processor()
        self.sampler = threading.Thread(target=self.sample)
        self.sampler.start()
        return self

    def sample(self):
        while not self.over.wait(0.2):
            self.samples.append(resident())

    def __exit__(self, *_):
        self.elapsed = time.monotonic() - self.begun
        self.over.set()
        self.sampler.join()
        before, peak, after = self.samples[0], max(self.samples), resident()
        print(
            f"{self.what}: {self.elapsed:.1f} s, processor {processor() - self.worked:.1f} s, "
            f"resident before {before:.0f}, peak {peak:.0f}, after {after:.0f} MiB",
            flush=True,
        )


async def slots():
    """The addresses to put to and to get from."""
    client = slixmpp.ClientXMPP("bench@localhost", "correct horse")
    client.ssl_context.check_hostname = False
    client.ssl_context.verify_mode = ssl.CERT_NONE
    client.connect(address, 5222)
    await client.wait_until("session_start", 30)
    given = []
    for number in range(uploads):
        iq = client.make_iq_get(ito="upload.localhost")
        wanted = {"filename": f"film{number}.webm", "size": str(SIZE), "content-type": "video/webm"}
        iq.append(ET.Element(f"{{{NS}}}request", wanted))
        slot = (await iq.send()).xml.find(f"{{{NS}}}slot")
        given.append([slot.find(f"{{{NS}}}{part}").get("url") for part in ("put", "get")])
    await client.disconnect()
    return given


given = asyncio.run(slots())
film = directory / "film"
with film.open("wb") as file:
    file.writelines(os.urandom(1_000_000) for _ in range(megabytes))
config = "".join(f'upload-file = "{film}"\nurl = "{put}"\noutput = "/dev/null"\n' for put, _ in given)
command = ["curl", "--no-progress-meter", "--fail", "--parallel", "--parallel-immediate", "--parallel-max", str(uploads)]
with Measured(f"{uploads} uploads of {megabytes} MB at a time") as measured:
    subprocess.run([*command, "--header", "Content-Type: video/webm", "--config", "-"], input=config, text=True, check=True)
print(f"{uploads * megabytes / measured.elapsed:.0f} MB/s", flush=True)

script = directory / "ranges.lua"
script.write_text(
    f"""request = function()
  local from = math.random(0, {SIZE - PIECE})
  return wrk.format("GET", nil, {{ Range = "bytes=" .. from .. "-" .. from + {PIECE - 1} }})
end
"""
)
for attempt in ("ranges of 64 KiB", "the same again"):
    with Measured(attempt):
        wrk = ["wrk", "--threads", "1", "--connections", "50", "--duration", f"{seconds}s", "--latency", "--script", script]
        said = subprocess.run([*wrk, given[0][1]], capture_output=True, text=True, check=True).stdout
    wanted = ("Requests/sec", "Transfer/sec", "50%", "99%", "Non-2xx", "Socket errors")
    print("\n".join(line.strip() for line in said.splitlines() if line.strip().startswith(wanted)), flush=True)
