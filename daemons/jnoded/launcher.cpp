#include "launcher.hpp"

#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "wire/job_id.hpp"
#include "wire/unix_channel.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

constexpr auto launcher_connect_limit = 2s;
constexpr auto launcher_start_limit = 10s;
constexpr auto service_start_limit = 20s; // with RestartSec=1, and a first try that failed
constexpr auto first_launcher_pause = 200ms;
constexpr auto longest_launcher_pause = 10s;

const wire::ChannelOptions channel_options{.max_frame = wire::limits::default_frame};

// In the child between fork and exec: async-signal-safe calls only. A second fork lets the launcher be adopted by init (or
// by the nearest subreaper), so it is no child of a daemon that may end before it.
[[noreturn]] void become_launcher(char* const* arguments, int entrance, int null_device)
{
    if (entrance >= 0)
        (void)!::write(entrance, "0", 1);
    ::setsid();
    if (::fork() != 0)
        ::_exit(0);
    ::dup2(null_device, STDIN_FILENO);
    ::dup2(null_device, STDOUT_FILENO); // stderr stays: the log's default
    ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execv(arguments[0], arguments);
    ::_exit(127);
}

} // namespace

pid_t Launcher::running(const std::string& path)
{
    const auto address = wire::unix_address(path);
    const Fd socket(address ? ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1);
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) != 0)
        return 0;
    const auto peer = wire::peer_credentials(socket.get());
    return peer ? peer->pid : 0;
}

Result<void> Launcher::start()
{
    if (::access(options_.program.c_str(), X_OK) != 0)
        return std::unexpected(system_error(errno, fmt::format("launcher {}", options_.program)));
    std::vector<char*> arguments{options_.program.data()};
    for (auto& argument : options_.arguments)
        arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    auto entrance = events_.entrance();
    if (!entrance)
        log().warn("the launcher is not in our cgroup tree: {}", entrance.error().message);
    const Fd null_device(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto child = ::fork();
    if (child == 0)
        become_launcher(arguments.data(), entrance ? entrance->get() : -1, null_device.get());
    if (child < 0)
        return std::unexpected(system_error(errno, "cannot fork the launcher"));
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    log().info("started launcher {}", options_.program);
    return {};
}

asio::awaitable<Result<wire::ChannelPtr>> Launcher::connect()
{
    auto channel = co_await wire::connect_unix(options_.socket, launcher_connect_limit, channel_options);
    if (!channel && events_.comes_back())
        channel = co_await await_listener(service_start_limit);
    if (channel)
        co_return channel;
    if (auto started = start(); !started)
        co_return std::unexpected(started.error());
    co_return co_await await_listener(launcher_start_limit);
}

asio::awaitable<Result<wire::ChannelPtr>> Launcher::await_listener(std::chrono::seconds limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    Result<wire::ChannelPtr> channel = fail(Errc::unavailable, "nobody listens at {}", options_.socket);
    for (auto pause = 5ms; std::chrono::steady_clock::now() < until; pause = std::min<std::chrono::milliseconds>(pause * 2, 200ms)) {
        if (!co_await daemon::sleep_for(pause))
            break;
        channel = co_await wire::connect_unix(options_.socket, launcher_connect_limit, channel_options);
        if (channel)
            break;
    }
    co_return channel;
}

Result<void> Launcher::take(const std::string& frame)
{
    const auto message = wire::parse<wire::FromLauncher>(frame);
    if (!message)
        return std::unexpected(message.error());
    switch (message->body_case()) {
    case wire::FromLauncher::kLaunched:
        events_.launched(message->launched());
        return {};
    case wire::FromLauncher::kGone:
        events_.gone(message->gone());
        return {};
    case wire::FromLauncher::kList:
        events_.listed(message->list());
        return {};
    case wire::FromLauncher::BODY_NOT_SET:
        return {}; // of a newer launcher
    }
    return {};
}

asio::awaitable<Result<void>> Launcher::serve(wire::ChannelPtr channel)
{
    wire::ToLauncher ask;
    ask.mutable_list();
    if (auto sent = channel->send(ask); !sent)
        co_return sent;
    pid_ = channel->credentials() ? channel->credentials()->pid : 0;
    events_.connected(pid_);
    while (true) {
        auto frame = co_await channel->read_frame();
        if (!frame)
            co_return std::unexpected(frame.error());
        if (!*frame)
            co_return fail(Errc::unavailable, "it closed the connection");
        channel_ = channel; // orders may follow from the first news on, which is the list
        if (auto taken = take(**frame); !taken)
            co_return taken;
    }
}

asio::awaitable<void> Launcher::run()
{
    auto pause = std::chrono::milliseconds(first_launcher_pause);
    while (true) {
        auto channel = co_await connect();
        if (channel) {
            pause = first_launcher_pause;
            const auto end = co_await serve(*channel);
            if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
                co_return;
            (*channel)->close();
            channel_.reset();
            pid_ = 0;
            log().warn("lost the launcher: {}", end.error().message);
            events_.lost();
        } else {
            log().error("no launcher, so no job can start: {}; trying again in {} ms", channel.error().message, pause.count());
        }
        co_await daemon::sleep_for(pause);
        pause = std::min<std::chrono::milliseconds>(pause * 2, longest_launcher_pause);
    }
}

bool Launcher::launch(const wire::LaunchOrder& order)
{
    if (!channel_)
        return false;
    wire::ToLauncher message;
    *message.mutable_launch() = order;
    if (auto sent = channel_->send(message); !sent) {
        log().warn({{"job", wire::job_id_in(order)}}, "cannot send the order to the launcher: {}", sent.error().message);
        channel_->close(); // it does not read: the next one gets the order
        return false;
    }
    return true;
}

void Launcher::clean(const wire::LaunchOrder& order)
{
    wire::ToLauncher message;
    *message.mutable_clean() = order;
    if (channel_)
        if (auto sent = channel_->send(message); !sent)
            log().warn({{"job", wire::job_id_in(order)}}, "cannot have the job's remains removed: {}", sent.error().message);
}

} // namespace jarvis::noded
