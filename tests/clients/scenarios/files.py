"""Files: slixmpp asks for a place, the file goes there by HTTP over TLS, and comes back as it was."""

import asyncio
import http.client
import os
import ssl
from urllib.parse import urlsplit

from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET
from stage import DOMAIN, address, certificate

NS = "urn:xmpp:http:upload:0"


async def _slot(client, name, size):
    iq = client.make_iq_get(ito=f"upload.{DOMAIN}")
    iq.append(ET.Element(f"{{{NS}}}request", {"filename": name, "size": str(size), "content-type": "image/png"}))
    slot = (await iq.send()).xml.find(f"{{{NS}}}slot")
    return [slot.find(f"{{{NS}}}{part}").get("url") for part in ("put", "get")]


def _request(method, url, body=None):
    parts = urlsplit(url)
    trust = ssl.create_default_context(cafile=certificate())
    # The certificate is the domain's, and the test connects to an address.
    trust.check_hostname = False
    connection = http.client.HTTPSConnection(address("C2S")[0], parts.port, context=trust, timeout=60)
    fields = {"Host": parts.netloc} | ({"Content-Type": "image/png"} if body is not None else {})
    connection.request(method, f"{parts.path}?{parts.query}", body, fields)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


async def files_of_every_size_come_back_as_they_went(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    for size in (0, 1, 10_000_000):
        file = os.urandom(size)
        put, get = await _slot(romeo, "très bien & more.png", size)
        status, _ = await asyncio.to_thread(_request, "PUT", put, file)
        assert status == 201, status
        status, back = await asyncio.to_thread(_request, "GET", get)
        assert (status, back == file) == (200, True), (status, len(back))


async def a_file_that_is_too_large_gets_no_slot(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    try:
        await _slot(romeo, "a.png", 101 << 20)
    except IqError as error:
        assert error.iq.xml.find(f".//{{{NS}}}max-file-size").text == str(100 << 20), error
    else:
        raise AssertionError("a slot for a file that is too large")
