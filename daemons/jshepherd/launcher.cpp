#include "launcher.hpp"

#include "job_folder.hpp"
#include "log.hpp"
#include "wire/job_id.hpp"

#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

constexpr int tick_ms = 10;
constexpr std::chrono::seconds stop_limit{5};

std::string file_of(const std::string& folder, const std::string& runtime)
{
    return folder + "/runtime_" + runtime + ".so";
}

std::string cleaning_order(const wire::LaunchOrder& order)
{
    wire::ToLauncher message;
    auto& cleaning = *message.mutable_launch();
    wire::put_job_id(wire::job_id_in(order), cleaning);
    cleaning.set_incarnation(order.incarnation());
    cleaning.set_job_folder(order.job_folder());
    cleaning.set_cgroup(order.cgroup());
    cleaning.set_temporary_folder(order.temporary_folder());
    auto& account = *cleaning.mutable_account();
    account.set_uid(order.account().uid());
    account.set_gid(order.account().gid());
    *account.mutable_groups() = order.account().groups();
    return message.SerializeAsString();
}

// systemd's readiness protocol (sd_notify(3)); without systemd nobody listens.
void notify_ready()
{
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr || std::string_view(path).size() >= sizeof address.sun_path)
        return;
    const std::string name(path);
    name.copy(address.sun_path, name.size());
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ::sendto(socket.get(), "READY=1", 7, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
    ::unsetenv("NOTIFY_SOCKET");
}

} // namespace

wire::FromLauncher launched(const JobKey& key, pid_t pid)
{
    wire::FromLauncher message;
    auto& body = *message.mutable_launched();
    wire::put_job_id(key.job, body);
    body.set_incarnation(key.incarnation);
    body.set_shepherd_pid(pid);
    return message;
}

Result<void> Launcher::start()
{
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return std::unexpected(system_error(errno, "cannot become subreaper"));
    open_signals();
    if (auto started = start_templates(); !started)
        return started;
    if (auto listening = node_.listen(options_.socket); !listening)
        return listening;
    notify_ready();
    log_info("ready on {}, process {}", options_.socket, ::getpid());
    return {};
}

void Launcher::open_signals()
{
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD})
        sigaddset(&wanted, number);
    ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
    ::signal(SIGPIPE, SIG_IGN); // a log that goes to a pipe which nobody reads any more
    ::signal(SIGCHLD, SIG_DFL); // ignored, it would reap for us
    signals_ = Fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<void> Launcher::start_templates()
{
    for (const auto& name : options_.runtimes) {
        auto& runtime = runtimes_.emplace_back(
            Runtime{TemplateLink(name, file_of(options_.plugins, name), options_.socket, options_.settings[name]), std::nullopt});
        if (auto started = runtime.link.start(); !started)
            return started;
    }
    return {};
}

void Launcher::run()
{
    while (!may_stop()) {
        std::vector<pollfd> waits{{signals_.get(), POLLIN, 0}};
        for (const Runtime& runtime : runtimes_)
            if (runtime.link.alive())
                waits.push_back({runtime.link.socket(),
                                 static_cast<short>(runtime.link.wants_to_write() ? POLLIN | POLLOUT : POLLIN), 0});
        node_.add_to(waits);
        ::poll(waits.data(), waits.size(), needs_tick() ? tick_ms : -1);
        // Templates first: an end is understood only when we know whose it is.
        serve_templates(waits);
        if (waits.front().revents)
            on_signals();
        node_.handle(waits, [this] { on_connected(); },
                     [this](wire::ToLauncher message, std::string bytes) { on_message(std::move(message), std::move(bytes)); });
        if (needs_tick())
            tick();
        for (Runtime& runtime : runtimes_)
            if (runtime.link.alive() && !runtime.link.flush())
                on_template_lost(runtime);
        node_.flush();
    }
    for (Runtime& runtime : runtimes_)
        runtime.link.end();
    log_info("stopped; {} shepherds stay with their jobs", shepherds_.size());
}

void Launcher::stop()
{
    if (stopping_)
        return;
    stopping_ = true;
    stop_by_ = Clock::now() + stop_limit;
    node_.stop_listening();
}

bool Launcher::may_stop() const
{
    return stopping_ && ((!answers_due() && !node_.has_output()) || Clock::now() >= stop_by_);
}

bool Launcher::answers_due() const
{
    return std::ranges::any_of(runtimes_, [](const Runtime& runtime) { return runtime.link.has_requests(); });
}

Launcher::Runtime* Launcher::find_runtime(const std::string& name)
{
    const auto found = std::ranges::find(runtimes_, name, [](const Runtime& runtime) { return runtime.link.runtime(); });
    return found == runtimes_.end() ? nullptr : &*found;
}

// The node daemon.

void Launcher::on_connected()
{
    log_info("the node daemon is connected");
    for (const auto& message : std::exchange(untold_, {}))
        tell(message);
}

void Launcher::on_message(wire::ToLauncher message, std::string bytes)
{
    switch (message.body_case()) {
    case wire::ToLauncher::kLaunch:
        return launch(message.launch(), std::move(bytes));
    case wire::ToLauncher::kList:
        return list_shepherds();
    case wire::ToLauncher::kClean:
        return clean(message.clean());
    default: // of a newer node daemon
        log_warning("a message of unknown kind was dropped");
    }
}

void Launcher::launch(const wire::LaunchOrder& order, std::string bytes)
{
    const JobKey key{wire::job_id_in(order), order.incarnation()};
    if (const auto known = shepherds_.find(key); known != shepherds_.end()) {
        if (known->second.pid != 0) // asked again by a node daemon that did not hear the answer
            tell(launched(key, known->second.pid));
        return;
    }
    if (stopping_)
        return; // an answer would end the job; without one the order goes to the next launcher
    Runtime* runtime = find_runtime(order.runtime());
    if (runtime == nullptr)
        return reply_error(key, fmt::format("runtime {} is not loaded on this node", order.runtime()));
    if (::access(pid_file_path(order.job_folder()).c_str(), F_OK) == 0)
        return reply_error(key, fmt::format("it was started before: {} exists", pid_file_path(order.job_folder())));
    shepherds_.emplace(key, Shepherd{.runtime = order.runtime(), .cgroup = order.cgroup(), .cleaning = cleaning_order(order)});
    runtime->link.add({key, RequestKind::launch, std::move(bytes), order.job_folder()});
    if (!runtime->link.alive() && !runtime->uncertain)
        restart(*runtime);
}

// What a shepherd left that was no child of this launcher.
void Launcher::clean(const wire::LaunchOrder& order)
{
    const JobKey key{wire::job_id_in(order), order.incarnation()};
    if (shepherds_.contains(key)) // then it is seen to its end here anyway
        return;
    const auto& runtime = find_runtime(order.runtime()) ? order.runtime() : runtimes_.front().link.runtime();
    const auto added = shepherds_.emplace(key, Shepherd{.phase = Shepherd::Phase::dead,
                                                        .runtime = runtime,
                                                        .cgroup = order.cgroup(),
                                                        .cleaning = cleaning_order(order)});
    clean_after(key, added.first->second);
}

void Launcher::list_shepherds()
{
    wire::FromLauncher message;
    auto& list = *message.mutable_list();
    for (const auto& [key, shepherd] : shepherds_)
        if (shepherd.pid != 0)
            *list.add_shepherds() = launched(key, shepherd.pid).launched();
    tell(message);
}

void Launcher::reply_error(const JobKey& key, const std::string& message)
{
    log_warning("job {}: {}", key.job, message);
    auto answer = launched(key, 0);
    answer.mutable_launched()->set_error(message);
    tell(answer);
}

void Launcher::report_gone(const JobKey& key, int status)
{
    wire::FromLauncher message;
    auto& gone = *message.mutable_gone();
    wire::put_job_id(key.job, gone);
    gone.set_incarnation(key.incarnation);
    gone.set_wait_status(status);
    shepherds_.erase(key);
    if (node_.connected())
        tell(message);
    else
        untold_.push_back(std::move(message));
}

bool Launcher::needs_tick() const
{
    return leftovers_ || stopping_ || std::ranges::any_of(runtimes_, [](const Runtime& runtime) {
               return runtime.uncertain || (!runtime.link.alive() && runtime.link.has_requests());
           });
}

void Launcher::tick()
{
    for (Runtime& runtime : runtimes_)
        if (runtime.uncertain)
            settle_uncertain(runtime);
        else if (!runtime.link.alive() && runtime.link.has_requests())
            restart(runtime);
    if (leftovers_)
        kill_leftovers();
}

} // namespace jarvis::shepherd
