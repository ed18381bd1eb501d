# SPDX-License-Identifier: Apache-2.0
"""A gRPC server: grpcd.py ADDRESS PORT PEM KEY LOG.  Calls that arrive are lines of LOG."""
import sys
import time
from concurrent import futures

import grpc

address, port, pem, key, log = sys.argv[1:]


def arrived(context, name):
    with open(log, "a") as out:
        fields = dict(context.invocation_metadata())
        out.write(f"{name} {fields.get('token', '-')}\n")


def echo(request, context):
    arrived(context, "Echo")
    context.set_trailing_metadata((("rest", "trailer"),))
    return request


def fail(request, context):
    arrived(context, "Fail")
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so")


def sleep(request, context):
    arrived(context, "Sleep")
    time.sleep(float(request))
    return b"late"


def count(request, context):
    arrived(context, "Count")
    for n in range(int(request)):
        yield b"%d" % n


def talk(requests, context):
    arrived(context, "Talk")
    for request in requests:
        yield b"re " + request


server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Secret": grpc.unary_unary_rpc_method_handler(echo),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
}),))
server.add_secure_port(f"{address}:{port}", grpc.ssl_server_credentials(
    [(open(key, "rb").read(), open(pem, "rb").read())]))
server.start()
server.wait_for_termination()
