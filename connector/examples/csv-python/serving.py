"""What every connector in Python needs: handshake, TLS, health, ending, errors, and patience with a silent host."""

import asyncio
import base64
import datetime
import os
import signal
import sys
import tempfile

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_status import rpc_status

COOKIE = ("SLUICE_CONNECTOR", "a-connector-is-a-program-that-serves-the-contract")
BOUNDS = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20)]


async def serve(add_connector):
    """Serves the host that launched this process, until the host ends it or is gone. add_connector(server) adds the service."""
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        sys.exit("this is a connector of Sluice, which a host starts; make it known with: sluice connectors add PATH")
    parent, ended = os.getppid(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal's Ctrl-C is for the host
    server = grpc.aio.server(options=BOUNDS)
    add_connector(server)
    await add_host_services(server, ended)
    with tempfile.TemporaryDirectory(dir=os.environ.get("PLUGIN_UNIX_SOCKET_DIR")) as folder:
        address, certificate = f"{folder}/connector", ""
        if host := os.environ.get("PLUGIN_CLIENT_CERT"):
            own, key, certificate = make_certificate()
            credentials = grpc.ssl_server_credentials([(key, own)], host.encode(), require_client_auth=True)
            server.add_secure_port(f"unix:{address}", credentials)
        else:
            server.add_insecure_port(f"unix:{address}")
        await server.start()
        print(f"1|1|unix|{address}|grpc|{certificate}", flush=True)
        while not ended.is_set() and os.getppid() == parent:
            await first(ended.wait(), 0.5)
        await server.stop(1)  # calls under way have a second to end


async def add_host_services(server, ended):
    """What go-plugin's hosts want besides: health, and a call that ends the process."""

    async def shut_down(request, context):
        ended.set()
        return b""

    as_is = {"request_deserializer": bytes, "response_serializer": bytes}
    handlers = {"Shutdown": grpc.unary_unary_rpc_method_handler(shut_down, **as_is)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plugin.GRPCController", handlers),))
    servicer = health.HealthServicer()
    await servicer.set("plugin", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)


def make_certificate():
    """A certificate for one launch as PEM, its key, and how the handshake line says it. BoringSSL wants P-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, der = serialization.Encoding.PEM, certificate.public_bytes(serialization.Encoding.DER)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private, base64.b64encode(der).decode().rstrip("=")


async def fail(context, message, field=""):
    """Ends a call with a CONFIG error: an answer is missing or wrong."""
    status = status_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="CONFIG", domain="connector.sluice", metadata={"code": "INVALID_ANSWER"}))
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=message)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    await context.abort_with_status(rpc_status.to_status(status))


async def first(awaitable, seconds):
    """Waits for something, but not long."""
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        return None


async def heard(requests, deadline=None, every=5.0):
    """The host's messages, None whenever it was silent for a while; ends when the host does, or shortly before a deadline."""
    messages, pending = aiter(requests), None
    try:
        while True:
            left = deadline.timestamp() - 0.5 - datetime.datetime.now().timestamp() if deadline else every
            if left <= 0:
                return
            pending = pending or asyncio.ensure_future(anext(messages, grpc.aio.EOF))
            done, _ = await asyncio.wait({pending}, timeout=min(every, left))
            if not done:
                yield None
                continue
            message, pending = pending.result(), None
            if message is grpc.aio.EOF:
                return
            yield message
    finally:
        if pending:
            pending.cancel()
