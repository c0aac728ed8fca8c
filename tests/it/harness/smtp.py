"""A mail server for tests: says its port in the first line and each mail as a line of JSON.

Ends when its standard input does. Arguments: JSON with tls (none, starttls, tls), cert, key, user,
password.
"""

import asyncio
import email.policy
import json
import ssl
import sys
import threading
import os

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

asked = json.loads(sys.argv[1])


class Office:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return f"550 5.1.1 <{address}> is nobody here"
        if address.startswith("busy"):
            return f"451 4.3.0 <{address}> not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if any(address.startswith("dies") for address in envelope.rcpt_tos):
            server.transport.abort()
            return "250 never heard"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [
            {"type": part.get_content_type(), "name": part.get_filename(), "text": part.get_content()
             if part.get_content_maintype() == "text" else ""}
            for part in mail.walk() if not part.is_multipart()
        ]
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "hello": session.host_name,
            "tls": session.ssl is not None or asked["tls"] == "tls",
            "authenticated": session.authenticated,
            "headers": {name: str(value) for name, value in mail.items()},
            "parts": parts,
            "longest": max(len(line) for line in envelope.content.split(b"\r\n")),
        }
        print(json.dumps(told), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    # `handled` would mean that the answer was given here.
    wanted = LoginPassword(asked["user"].encode(), asked["password"].encode())
    return AuthResult(success=data == wanted, handled=False)


def smtp(context):
    options = {"require_starttls": asked["tls"] == "starttls", "tls_context": None}
    if asked["tls"] == "starttls":
        options["tls_context"] = context
    if asked["user"]:
        options |= {"authenticator": authenticate, "auth_required": True,
                    "auth_require_tls": asked["tls"] == "starttls"}
    return SMTP(Office(), hostname="mail.test", **options)


async def main():
    context = None
    if asked["tls"] != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(asked["cert"], asked["key"])
    loop = asyncio.get_running_loop()
    outer = context if asked["tls"] == "tls" else None
    server = await loop.create_server(lambda: smtp(context), "127.0.0.1", 0, ssl=outer)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


def watch():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=watch, daemon=True).start()
asyncio.run(main())
