//! What servers call busy workers, workers and queue: a table.
//!
//! Spelling varies with the exporter and its version, so an expression lists
//! every known one with `or`. A number at its end is the server's own default:
//! it counts only where the page has none of the names, and is then said to be
//! stated, not read. An empty text: nothing that is published is such a figure.
//! A metric that only ever grows is no level: a count of waits is no queue. `completed` is
//! such a count, of what the workers of `busy` were given back from, and of nothing else.

/// What a server's page calls its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// How scenarios call it.
    pub name: &'static str,
    /// What serves such a page, in a few words.
    pub about: &'static str,
    /// Workers that hold a job.
    pub busy: &'static str,
    /// Workers there are.
    pub workers: &'static str,
    /// Jobs that wait for one.
    pub queue: &'static str,
    /// Requests completed since the server began: the one figure here that only grows.
    pub completed: &'static str,
}

impl Preset {
    /// The preset of this name.
    pub fn of(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}

/// Every preset there is.
pub(crate) const PRESETS: [Preset; 16] = [
    Preset {
        name: "tomcat",
        about: "Micrometer, or the manager's /manager/status?XML=true",
        busy: "tomcat_threads_busy_threads or currentThreadsBusy",
        // maxThreads: 200, in Tomcat's own documentation of its HTTP connector.
        workers: "tomcat_threads_config_max_threads or tomcat_threads_current_threads \
                  or maxThreads or 200",
        queue: "",
        // The manager's page counts a request once it is over (RequestInfo); so does the
        // meter that Micrometer makes of it.
        completed: "tomcat_global_request_seconds_count or requestCount",
    },
    Preset {
        name: "jetty",
        about: "Micrometer",
        busy: "jetty_threads_busy",
        // QueuedThreadPool's maxThreads.
        workers: "jetty_threads_config_max or jetty_threads_current or 200",
        queue: "jetty_threads_jobs",
        completed: "",
    },
    Preset {
        name: "undertow",
        about: "WildFly's MicroProfile metrics",
        busy: "wildfly_io_busy_task_thread_count",
        workers: "wildfly_io_max_pool_size",
        queue: "wildfly_io_queue_size",
        completed: "",
    },
    Preset {
        name: "java executor",
        about: "Micrometer; name one with {name=\"…\"} where there are several",
        busy: "executor_active_threads",
        workers: "executor_pool_max_threads",
        queue: "executor_queued_tasks",
        completed: "executor_completed_tasks_total",
    },
    Preset {
        name: "hikaricp",
        about: "Micrometer: connections of a database pool",
        busy: "hikaricp_connections_active",
        // maximumPoolSize: 10, in HikariCP's README.
        workers: "hikaricp_connections_max or 10",
        queue: "hikaricp_connections_pending",
        // Recorded when a connection is given back.
        completed: "hikaricp_connections_usage_seconds_count",
    },
    Preset {
        name: "pgbouncer",
        about: "pgbouncer_exporter: server connections and waiting clients",
        busy: "pgbouncer_pools_server_active_connections",
        workers: "",
        queue: "pgbouncer_pools_client_waiting_connections",
        completed: "",
    },
    Preset {
        name: "puma",
        about: "an exporter's page, or the control app's /stats",
        // What is not free is busy. Puma's own count of busy threads holds the
        // backlog too in some versions (thread_pool.rb, `busy_threads`).
        busy: "puma_max_threads - puma_pool_capacity or puma_busy_threads \
               or max_threads - pool_capacity",
        // Puma's default maximum of threads on MRI.
        workers: "puma_max_threads or max_threads or 5",
        queue: "puma_backlog or backlog",
        // Counted when a thread begins with it: the same but for those in progress.
        completed: "requests_count",
    },
    Preset {
        name: "gunicorn",
        about: "its statsd datagrams: give `listen`, and start it with --statsd-host",
        busy: "",
        workers: "gunicorn.workers",
        queue: "gunicorn.backlog",
        completed: "",
    },
    Preset {
        name: "php-fpm",
        about: "php-fpm_exporter",
        busy: "phpfpm_active_processes",
        workers: "phpfpm_total_processes",
        queue: "phpfpm_listen_queue",
        completed: "",
    },
    Preset {
        name: "node",
        about: "the event loop's utilization: OpenTelemetry, or a line of your own",
        // A mean since the reading before, from 0 to 1. Requests of libuv, which
        // prom-client counts, are none while JavaScript blocks the loop.
        busy: "nodejs_eventloop_utilization or nodejs_eventloop_utilization_ratio",
        // One for each loop of the page.
        workers: "count(nodejs_eventloop_utilization) \
                  or count(nodejs_eventloop_utilization_ratio)",
        queue: "",
        completed: "",
    },
    Preset {
        name: "go",
        about: "client_golang: connections of a database pool, or else goroutines",
        busy: "go_sql_in_use_connections or go_goroutines",
        workers: "go_sql_max_open_connections",
        queue: "",
        completed: "",
    },
    Preset {
        name: "dotnet",
        about: "the runtime's meters, by any of their exporters",
        busy: "dotnet_thread_pool_thread_count or dotnet_threadpool_num_threads \
               or process_runtime_dotnet_thread_pool_threads_count \
               or system_runtime_threadpool_thread_count",
        workers: "",
        queue: "dotnet_thread_pool_queue_length or dotnet_threadpool_queue_length \
                or process_runtime_dotnet_thread_pool_queue_length \
                or system_runtime_threadpool_queue_length or kestrel_queued_connections",
        completed: "",
    },
    Preset {
        name: "haproxy",
        about: "its own /metrics, or /stats;csv: sessions of servers and their limit (maxconn)",
        // A backend's sessions hold those that wait; its limit (fullconn) is a
        // threshold for servers' dynamic limits, and no number of workers.
        busy: "haproxy_server_current_sessions \
               or haproxy_backend_current_sessions - haproxy_backend_current_queue \
               or scur{svname!=\"FRONTEND\", svname!=\"BACKEND\"} \
               or scur{svname=\"BACKEND\"} - qcur{svname=\"BACKEND\"}",
        workers: "haproxy_server_limit_sessions \
                  or slim{svname!=\"FRONTEND\", svname!=\"BACKEND\"}",
        // A backend's queue holds what waits for any of its servers, a server's
        // what waits for that one; nothing is in both (HAProxy's management
        // manual, 9.1, `qcur`).
        queue: "haproxy_backend_current_queue + haproxy_server_current_queue \
                or haproxy_backend_current_queue or qcur",
        // What servers answered, by status; what HAProxy answered for them is not in it.
        completed: "haproxy_server_http_responses_total \
                    or hrsp_2xx{svname!=\"FRONTEND\", svname!=\"BACKEND\"} \
                    + hrsp_3xx{svname!=\"FRONTEND\", svname!=\"BACKEND\"} \
                    + hrsp_4xx{svname!=\"FRONTEND\", svname!=\"BACKEND\"} \
                    + hrsp_5xx{svname!=\"FRONTEND\", svname!=\"BACKEND\"}",
    },
    Preset {
        name: "envoy",
        about: "its admin interface's /stats/prometheus",
        busy: "envoy_cluster_upstream_rq_active",
        workers: "",
        queue: "envoy_cluster_upstream_rq_pending_active",
        completed: "envoy_cluster_upstream_rq_completed",
    },
    Preset {
        name: "resilience4j",
        about: "Micrometer: calls in a bulkhead",
        busy: "resilience4j_bulkhead_max_allowed_concurrent_calls \
               - resilience4j_bulkhead_available_concurrent_calls",
        workers: "resilience4j_bulkhead_max_allowed_concurrent_calls",
        queue: "",
        completed: "",
    },
    Preset {
        name: "nginx",
        about: "nginx-prometheus-exporter: connections that are being answered",
        busy: "nginx_connections_reading + nginx_connections_writing",
        workers: "",
        queue: "",
        completed: "",
    },
];
