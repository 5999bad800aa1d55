"""A client that speaks HTTP/2 at once, without TLS, as the Kinesis Client Library's does."""

import socket

from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

Request = tuple[dict[str, str], bytes]


def exchange(port: int, requests: list[Request]) -> list[tuple[str, bytes]]:
    """Sends all of them on one connection before it reads; status and body of each."""
    with socket.create_connection(("127.0.0.1", port)) as wire:
        connection = H2Connection()
        connection.initiate_connection()
        streams = [_send(connection, port, *request) for request in requests]
        wire.sendall(connection.data_to_send())
        answers = _receive(wire, connection, len(streams))
        connection.close_connection()
        wire.sendall(connection.data_to_send())
        return [answers[stream] for stream in streams]


def _send(connection: H2Connection, port: int, headers: dict[str, str], body: bytes) -> int:
    stream = connection.get_next_available_stream_id()
    pseudo = {":method": "POST", ":scheme": "http", ":authority": f"127.0.0.1:{port}", ":path": "/"}
    connection.send_headers(stream, [*pseudo.items(), *headers.items()])
    connection.send_data(stream, body, end_stream=True)
    return stream


def _receive(wire: socket.socket, connection: H2Connection, streams: int) -> dict[int, tuple[str, bytes]]:
    status: dict[int, str] = {}
    body: dict[int, bytes] = {}
    ended = 0
    while ended < streams:
        for event in connection.receive_data(wire.recv(65536)):
            if isinstance(event, ResponseReceived):
                status[event.stream_id] = {_text(k): _text(v) for k, v in event.headers}[":status"]
            elif isinstance(event, DataReceived):
                body[event.stream_id] = body.get(event.stream_id, b"") + event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                ended += 1
        wire.sendall(connection.data_to_send())
    return {stream: (found, body[stream]) for stream, found in status.items()}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
