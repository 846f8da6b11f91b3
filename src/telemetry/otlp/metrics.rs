//! Families as an export request of metrics.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};

use super::{Origin, scope, text, wall_nanos};
use crate::telemetry::family::{BOUNDS_S, Family, MetricKind, Point, PointValue};

/// When the points of a request were counted from, and when they were read.
#[derive(Debug, Clone, Copy)]
struct Taken {
    from_ns: u64,
    at_ns: u64,
}

/// The metrics as a request; `from_ms` and `at_ms`: since when they count and when they were
/// read, in milliseconds since 1970.
pub fn metrics_request(
    origin: &Origin,
    families: &[Family],
    from_ms: u64,
    at_ms: u64,
) -> ExportMetricsServiceRequest {
    let taken = Taken {
        from_ns: wall_nanos(from_ms),
        at_ns: wall_nanos(at_ms.max(from_ms)),
    };
    let families = families.iter().filter(|it| !it.points.is_empty());
    let scoped = ScopeMetrics {
        scope: Some(scope()),
        metrics: families.map(|family| metric(family, taken)).collect(),
        ..ScopeMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(origin.resource()),
            scope_metrics: vec![scoped],
            ..ResourceMetrics::default()
        }],
    }
}

fn metric(family: &Family, taken: Taken) -> Metric {
    let cumulative = AggregationTemporality::Cumulative.into();
    let points = family.points.iter();
    let data = match family.kind {
        MetricKind::Counter => Data::Sum(Sum {
            data_points: points.filter_map(|it| numbered(it, taken)).collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        MetricKind::Gauge => Data::Gauge(Gauge {
            data_points: points.filter_map(|it| numbered(it, taken)).collect(),
        }),
        MetricKind::Histogram => Data::Histogram(Histogram {
            data_points: points.filter_map(|it| distributed(it, taken)).collect(),
            aggregation_temporality: cumulative,
        }),
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: family.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

/// A point that is a number.
fn numbered(point: &Point, taken: Taken) -> Option<NumberDataPoint> {
    let value = match point.value {
        PointValue::Whole(value) => Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX)),
        PointValue::Real(value) => Value::AsDouble(value),
        PointValue::Durations(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: point.labels.iter().map(|(key, it)| text(key, it)).collect(),
        start_time_unix_nano: taken.from_ns,
        time_unix_nano: taken.at_ns,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

/// A point that is a distribution.
fn distributed(point: &Point, taken: Taken) -> Option<HistogramDataPoint> {
    let PointValue::Durations(buckets) = &point.value else {
        return None;
    };
    Some(HistogramDataPoint {
        attributes: point.labels.iter().map(|(key, it)| text(key, it)).collect(),
        start_time_unix_nano: taken.from_ns,
        time_unix_nano: taken.at_ns,
        count: buckets.count,
        sum: Some(buckets.sum_s),
        bucket_counts: buckets.counts.to_vec(),
        explicit_bounds: BOUNDS_S.to_vec(),
        ..HistogramDataPoint::default()
    })
}
