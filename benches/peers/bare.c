// The limit: what the work costs without a tool around it. A server, a closed
// loop and an open loop with a timerfd, each one thread and one epoll, 64 or so
// connections on loopback. Deliberately no error handling beyond giving up: a
// figure from a run that failed is not printed.
//
//   bare server PORT                     answers GET / with 13 bytes, GET /count with how many
//   bare closed PORT CONNECTIONS SECONDS
//   bare open PORT CONNECTIONS SECONDS RATE
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, CONNECTIONS_MAX = 16384, BUCKETS = 64 * 64 };
typedef uint64_t ns;

static ns now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (ns)t.tv_sec * 1000000000 + (ns)t.tv_nsec;
}

// 64 buckets to each power of two: a value is known to within 1.6 %.
struct histogram { uint64_t count, bucket[BUCKETS]; };

static void record(struct histogram *h, ns value) {
  int power = value < 64 ? 0 : 63 - __builtin_clzll(value) - 5;
  h->bucket[power * 64 + (int)(value >> power) % 64 + 0]++;
  h->count++;
}

static double quantile_us(const struct histogram *h, double q) {
  uint64_t seen = 0, wanted = (uint64_t)(q * (double)h->count);
  for (int i = 0; i < BUCKETS; i++) {
    seen += h->bucket[i];
    if (seen > wanted) return (double)((uint64_t)(i % 64) << (i / 64)) / 1e3;
  }
  return 0;
}

static int epoll_of(int fd, uint64_t data, int e) {
  struct epoll_event event = {EPOLLIN | (data < CONNECTIONS_MAX ? EPOLLET : 0), {.u64 = data}};
  return epoll_ctl(e, EPOLL_CTL_ADD, fd, &event);
}

static int tcp(int port, struct sockaddr_in *address) {
  int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return s;
}

static int server(int port) {
  struct sockaddr_in a;
  static char bytes[65536], answer[256];
  static const char hello[] = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, world!";
  int listener = tcp(port, &a), e = epoll_create1(0), one = 1;
  uint64_t count = 0;
  if (bind(listener, (void *)&a, sizeof a) || listen(listener, 4096)) return 1;
  struct epoll_event events[EVENTS], first = {EPOLLIN, {.fd = listener}};
  epoll_ctl(e, EPOLL_CTL_ADD, listener, &first);
  for (;;) {
    int n = epoll_wait(e, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int s = accept4(listener, 0, 0, SOCK_NONBLOCK);
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {EPOLLIN, {.fd = s}};
        epoll_ctl(e, EPOLL_CTL_ADD, s, &event);
        continue;
      }
      ssize_t got = recv(fd, bytes, sizeof bytes, 0);
      if (got <= 0) {
        if (got == 0 || errno != EAGAIN) close(fd);
      } else if (got > 10 && !memcmp(bytes, "GET /count", 10)) {
        int length = snprintf(bytes, 64, "%lu", count);
        length = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", length, bytes);
        send(fd, answer, (size_t)length, MSG_NOSIGNAL);
      } else {
        count++;
        send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL);
      }
    }
  }
}

static const char request[] = "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bare\r\n\r\n";
static int sockets[CONNECTIONS_MAX], idle[CONNECTIONS_MAX], idles;
static ns intended[CONNECTIONS_MAX];
static struct histogram latency, lag;

static void ask(int connection, ns from) {
  intended[connection] = from;
  if (send(sockets[connection], request, sizeof request - 1, MSG_NOSIGNAL) < 0) exit(1);
}

static int client(int port, int connections, double seconds, double rate) {
  static char bytes[65536];
  int e = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event events[EVENTS];
  for (int c = 0; c < connections; c++) {
    struct sockaddr_in a;
    sockets[c] = tcp(port, &a);
    if (connect(sockets[c], (void *)&a, sizeof a)) return 1;
    epoll_of(sockets[c], (uint64_t)c, e);
    idle[idles++] = c;
  }
  epoll_of(timer, CONNECTIONS_MAX, e);
  ns start = now(), end = start + (ns)(seconds * 1e9), armed = 0;
  uint64_t sent = 0;
  if (rate == 0) for (int c = 0; c < connections; c++) ask(c, now());
  for (ns t = now(); t < end; t = now()) {
    ns due = end;
    while (rate > 0) {
      due = start + (ns)((double)(sent + 1) * 1e9 / rate);
      if (due > t || !idles) break;
      record(&lag, now() - due);
      ask(idle[--idles], due);
      sent++;
    }
    if (!idles && rate > 0) due = end;
    if (due != armed) {
      struct itimerspec when = {.it_value = {(time_t)(due / 1000000000), (long)(due % 1000000000)}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, 0);
      armed = due;
    }
    int n = epoll_wait(e, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      uint64_t c = events[i].data.u64;
      if (c >= CONNECTIONS_MAX) {
        if (read(timer, bytes, 8) < 0) continue;
      } else if (recv(sockets[c], bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
        record(&latency, now() - intended[c]);
        if (rate == 0) ask((int)c, now());
        else idle[idles++] = (int)c;
      }
    }
  }
  printf("{\"requests\":%lu,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,"
         "\"lag_p50_us\":%.1f,\"lag_p90_us\":%.1f,\"lag_p99_us\":%.1f}\n",
         latency.count, quantile_us(&latency, 0.5), quantile_us(&latency, 0.9),
         quantile_us(&latency, 0.99), quantile_us(&lag, 0.5), quantile_us(&lag, 0.9),
         quantile_us(&lag, 0.99));
  return 0;
}

int main(int count, char **words) {
  alarm(3600); // whatever happens, it ends
  if (count == 3 && !strcmp(words[1], "server")) return server(atoi(words[2]));
  if (count == 5 && !strcmp(words[1], "closed"))
    return client(atoi(words[2]), atoi(words[3]), atof(words[4]), 0);
  if (count == 6 && !strcmp(words[1], "open"))
    return client(atoi(words[2]), atoi(words[3]), atof(words[4]), atof(words[5]));
  return 2;
}
