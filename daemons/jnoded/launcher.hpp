// The connection to jshepherd: started when nobody answers, taken up again when it breaks.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "shepherd.pb.h"
#include "wire/channel.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace jarvis::noded {

namespace asio = boost::asio;

struct LauncherOptions {
    std::string program;
    std::vector<std::string> arguments;
    std::string socket;
};

// What a launcher tells; called on the loop.
struct LauncherEvents {
    std::function<void(pid_t launcher)> connected;                // before its list
    std::function<void(const wire::ShepherdList& list)> listed;   // once per connection, before all other news
    std::function<void(const wire::Launched& launched)> launched;
    std::function<void(const wire::ShepherdGone& gone)> gone;
    std::function<void()> lost;
    std::function<bool()> comes_back;     // one that ended is started again by somebody else: it is waited for before we start one
    std::function<Result<Fd>()> entrance; // the cgroup.procs file that a new launcher enters by; a closed one: none
};

class Launcher {
    LauncherOptions options_;
    LauncherEvents events_;
    wire::ChannelPtr channel_; // set from the list until the loss
    pid_t pid_ = 0;
    bool started_here_ = false;

    asio::awaitable<Result<wire::ChannelPtr>> connect();
    asio::awaitable<Result<wire::ChannelPtr>> await_listener(std::chrono::seconds limit);
    asio::awaitable<Result<void>> serve(wire::ChannelPtr channel);
    Result<void> take(const std::string& frame);
    Result<void> start();

public:
    Launcher(LauncherOptions options, LauncherEvents events) : options_(std::move(options)), events_(std::move(events)) {}
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    // Runs until it is cancelled.
    asio::awaitable<void> run();
    bool is_connected() const { return channel_ != nullptr; }
    // False: not now. Then the order goes out after the next list.
    bool launch(const wire::LaunchOrder& order);
    // After a job that no shepherd has any more; see shepherd.proto. Dropped while there is no launcher.
    void clean(const wire::LaunchOrder& order);
    pid_t pid() const { return pid_; }
    // The launcher that answers on the socket, if one does: its cgroup says whether a service manager keeps it.
    static pid_t running(const std::string& socket);
};

} // namespace jarvis::noded
