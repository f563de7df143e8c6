// The launcher's side of one template: starts the process, keeps the requests until they are answered, notices its death.
#pragma once

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "runtime_plugin.hpp"
#include "template_protocol.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <string>
#include <sys/types.h>
#include <vector>

namespace jarvis::shepherd {

struct JobKey {
    JobId job;
    std::uint32_t incarnation = 0;
    friend auto operator<=>(const JobKey&, const JobKey&) = default;
};

struct Request {
    JobKey key;
    RequestKind kind = RequestKind::launch;
    std::string bytes;      // a ToLauncher message
    std::string job_folder;
};

struct Answer {
    Request request;
    Reply reply;
};

class TemplateLink {
    std::string runtime_;
    std::string plugin_file_;
    std::string launcher_;          // its socket: only so that ps shows whose template it is
    RuntimeSettings settings_;
    pid_t pid_ = 0;
    Fd socket_;
    std::deque<Request> requests_;  // not yet answered, in their order
    std::size_t sent_ = 0;          // of these, so many went out whole
    std::size_t offset_ = 0;        // of the next one, header included
    std::string received_;
    std::string problem_;           // why the runtime could not be loaded
    std::chrono::steady_clock::time_point started_{};

    Result<void> spawn();
    Result<void> read_report();

public:
    TemplateLink(std::string runtime, std::string plugin_file, std::string launcher, RuntimeSettings settings)
        : runtime_(std::move(runtime)), plugin_file_(std::move(plugin_file)), launcher_(std::move(launcher)),
          settings_(std::move(settings))
    {
    }

    // Starts the process and waits until it has loaded the plugin. Blocks for as long as that takes (at most half a minute).
    Result<void> start();

    // The template ends, as it does without its launcher, and is waited for: a process that is left in a service's cgroup keeps the
    // service from being started again.
    void end();

    const std::string& runtime() const { return runtime_; }
    pid_t pid() const { return pid_; }
    int socket() const { return socket_.get(); }
    bool alive() const { return bool(socket_); }
    const std::string& problem() const { return problem_; }
    std::chrono::steady_clock::time_point started() const { return started_; }

    void add(Request request) { requests_.push_back(std::move(request)); }
    // Writes what the socket takes. False: the template is dead.
    bool flush();
    bool wants_to_write() const { return alive() && sent_ < requests_.size(); }
    // Takes what has come. False: the template is dead; what came before counts.
    bool receive(std::vector<Answer>& answers);

    bool has_requests() const { return !requests_.empty(); }
    // The process is gone: nothing of what it did not answer was done, except perhaps the request that it was at, which
    // is then returned and stays in the queue.
    const Request* lose();
    // Takes the first request out of the queue, or all of them.
    Request take_first();
    std::deque<Request> take_all();
};

} // namespace jarvis::shepherd
