# A shop on Puma with a pool of connections to its database that is smaller than Puma's pool
# of threads. The pool's own figures are on a port of their own. Nothing here knows of
# incidents.

require "socket"

CONNECTIONS = Integer(ENV.fetch("CONNECTIONS", "4"))
# How long a query takes, and how long a thread waits for a connection.
QUERY_S = Float(ENV.fetch("QUERY_MS", "50")) / 1000
POOL_TIMEOUT_S = Float(ENV.fetch("POOL_TIMEOUT_S", "5"))

class NoConnection < StandardError; end

class Pool
  attr_reader :size, :waiting, :given_back

  def initialize(size)
    @size = size
    @free = (1..size).to_a
    @waiting = 0
    @given_back = 0
    @lock = Mutex.new
    @free_again = ConditionVariable.new
  end

  def with
    connection = take
    yield connection
  ensure
    give_back(connection) if connection
  end

  def busy = @size - @free.size

  private

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def take
    @lock.synchronize do
      ends = now + POOL_TIMEOUT_S
      @waiting += 1
      begin
        while @free.empty?
          left = ends - now
          raise NoConnection if left <= 0
          @free_again.wait(@lock, left)
        end
      ensure
        @waiting -= 1
      end
      @free.pop
    end
  end

  def give_back(connection)
    @lock.synchronize do
      @free.push(connection)
      @given_back += 1
      @free_again.signal
    end
  end
end

POOL = Pool.new(CONNECTIONS)

# Beside Puma: its threads may all be waiting.
Thread.new do
  server = TCPServer.new("127.0.0.1", 8473)
  loop do
    client = server.accept
    nil while (line = client.gets) && line != "\r\n"
    page = "connections_busy #{POOL.busy}\nconnections_total #{POOL.size}\nconnections_waiting #{POOL.waiting}\n" \
           "connections_given_back #{POOL.given_back}\n"
    client.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: #{page.bytesize}\r\n\r\n#{page}")
    client.close
  rescue SystemCallError, IOError
    next
  end
end

run lambda { |env|
  begin
    POOL.with { sleep(QUERY_S) } if env["PATH_INFO"] == "/orders"
    [200, { "content-type" => "text/plain" }, ["ok\n"]]
  rescue NoConnection
    [503, { "content-type" => "text/plain" }, ["no connection\n"]]
  end
}
