"""Receives OTLP over http/protobuf with OpenTelemetry's own published messages.

Prints its port, then a line of JSON for each request, until its standard input closes.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def metric(own):
    kind = own.WhichOneof("data")
    data = getattr(own, kind)
    points = []
    for point in data.data_points:
        told = {"labels": attributes(point.attributes)}
        if kind == "histogram":
            told.update(count=point.count, sum=point.sum, counts=list(point.bucket_counts))
            told["bounds"] = list(point.explicit_bounds)
        else:
            told["value"] = getattr(point, point.WhichOneof("value"))
        points.append(told)
    told = {"name": own.name, "unit": own.unit, "kind": kind, "points": points}
    if kind != "gauge":
        told["cumulative"] = data.aggregation_temporality == 2
    return told


def span(own):
    return {
        "name": own.name,
        "trace": own.trace_id.hex(),
        "span": own.span_id.hex(),
        "parent": own.parent_span_id.hex(),
        "from": own.start_time_unix_nano,
        "to": own.end_time_unix_nano,
        "attributes": attributes(own.attributes),
        "events": [
            {"name": event.name, "at": event.time_unix_nano, "attributes": attributes(event.attributes)}
            for event in own.events
        ],
    }


def metrics_of(body):
    request = ExportMetricsServiceRequest.FromString(body)
    return {
        "resource": attributes(request.resource_metrics[0].resource.attributes),
        "metrics": [
            metric(own)
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for own in scope.metrics
        ],
    }


def spans_of(body):
    request = ExportTraceServiceRequest.FromString(body)
    return {
        "spans": [
            span(own)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for own in scope.spans
        ]
    }


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-type"] != "application/x-protobuf":
            self.send_error(415)
            return
        if self.path == "/v1/metrics":
            told, answer = metrics_of(body), ExportMetricsServiceResponse()
        elif self.path == "/v1/traces":
            told, answer = spans_of(body), ExportTraceServiceResponse()
        else:
            self.send_error(404)
            return
        print(json.dumps(told), flush=True)
        text = answer.SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
