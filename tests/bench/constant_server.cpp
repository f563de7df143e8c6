// Answers every request from a constant: what queries cost a machine when no controller has to answer them.
//
//   bench_constant_server SOCKET        until its standard input ends
#include "client.pb.h"
#include "wire/frame.hpp"
#include "wire/hello.hpp"
#include "wire/unix_socket.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <map>
#include <sys/epoll.h>
#include <sys/socket.h>

using namespace jarvis;

namespace {

struct Peer {
    Fd socket;
    wire::FrameReader reader{wire::limits::default_frame};
    bool greeted = false;
};

wire::Reply constant_reply()
{
    wire::Reply reply;
    reply.set_sequence(1);
    auto& job = *reply.mutable_jobs()->add_summaries();
    job.set_job_id(1);
    job.set_uid(1000);
    job.set_user("user");
    job.set_name("job_1");
    job.set_partition("batch");
    job.set_submitted_us(1'700'000'000'000'000);
    job.set_time_limit_us(3'600'000'000);
    job.set_cores(1);
    job.mutable_reason()->set_code("Resources");
    job.mutable_reason()->set_text("waits for cores");
    return reply;
}

class Server {
    Fd listener_, epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    std::map<int, Peer> peers_;
    wire::Reply reply_ = constant_reply();

    void watch(int fd)
    {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    }

    void accept()
    {
        Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket)
            return;
        const int fd = socket.get();
        peers_[fd].socket = std::move(socket);
        watch(fd);
    }

    void answer(Peer& peer, std::string_view payload, std::string& out)
    {
        wire::Request request;
        if (!peer.greeted) {
            peer.greeted = true;
            wire::append_frame(out, wire::make_hello(wire::Hello::CONTROLLER, "bench", WallTime{}));
        } else if (wire::parse_into(request, payload)) {
            reply_.set_tag(request.tag());
            wire::append_frame(out, reply_);
        }
    }

    void serve(int fd)
    {
        auto& peer = peers_.at(fd);
        std::array<char, 64 << 10> buffer;
        const auto n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n <= 0) {
            peers_.erase(fd);
            return;
        }
        peer.reader.feed({buffer.data(), static_cast<std::size_t>(n)});
        std::string out;
        for (auto frame = peer.reader.next(); frame && *frame; frame = peer.reader.next())
            answer(peer, **frame, out);
        (void)::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
    }

public:
    explicit Server(Fd listener) : listener_(std::move(listener))
    {
        watch(0);
        watch(listener_.get());
    }

    void run()
    {
        for (;;) {
            std::array<epoll_event, 64> events;
            const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < n; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == 0)
                    return;
                if (fd == listener_.get())
                    accept();
                else
                    serve(fd);
            }
        }
    }
};

} // namespace

int main(int argc, char** argv)
{
    if (argc != 2) {
        fmt::print(stderr, "usage: bench_constant_server SOCKET\n");
        return 2;
    }
    auto listener = wire::listen_unix({.path = argv[1]});
    if (!listener) {
        fmt::print(stderr, "bench_constant_server: {}\n", listener.error().message);
        return 1;
    }
    fmt::print("ready\n");
    std::fflush(stdout);
    Server(std::move(*listener)).run();
    return 0;
}
