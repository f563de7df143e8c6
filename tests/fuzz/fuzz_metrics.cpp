// Bytes to the socket where metrics are served, as HTTP. Whatever is asked: an answer, or the end of the connection.
#include "daemon/log.hpp"
#include "daemon/metrics_server.hpp"
#include "draw.hpp"
#include "local_socket.hpp"
#include "require.hpp"
#include "temporary_folder.hpp"

#include <boost/asio/io_context.hpp>

using namespace jarvis;

namespace {

std::string received(const Fd& socket)
{
    std::string bytes(1 << 16, '\0');
    const auto size = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
}

class Server {
    fuzz::TemporaryFolder folder_;
    boost::asio::io_context io_;
    daemon::Metrics metrics_;
    daemon::MetricsServer server_{io_.get_executor(), metrics_};
    std::string path_ = folder_.path() + "/metrics";

    void poll()
    {
        for (int i = 0; i < 4; ++i) { // accepting, reading, writing, closing
            io_.restart();
            io_.poll();
        }
    }

public:
    Server()
    {
        JARVIS_REQUIRE(daemon::open_log({.program = "fuzz", .file = "/dev/null", .level = daemon::LogLevel::error}));
        JARVIS_REQUIRE(server_.open({.socket = path_, .socket_asked = true, .listen = {}}));
    }
    void ask(fuzz::Draw draw)
    {
        const Fd socket = fuzz::connect_to(path_);
        std::string answer;
        while (!draw.done()) {
            (void)fuzz::send_now(socket, draw.text());
            poll();
            answer += received(socket);
        }
        ::shutdown(socket.get(), SHUT_WR);
        poll();
        answer += received(socket);
        JARVIS_REQUIRE(answer.empty() || answer.starts_with("HTTP/1."));
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static Server server;
    server.ask({data, size});
    return 0;
}
