#include "client/step_outside.hpp"

#include "base/escape.hpp"
#include "client/exit_codes.hpp"
#include "client/from_here.hpp"
#include "client/placement_options.hpp"
#include "client/query.hpp"
#include "client/submit.hpp"
#include "wire/clocks.hpp"
#include "wire/unix_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

constexpr int cancelling[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int passed_on[] = {SIGUSR1, SIGUSR2, SIGWINCH};
constexpr std::size_t descriptors = 3;
constexpr auto quiet_wait = std::chrono::seconds(2);

// A socket in a folder that nobody else may enter; both go with it.
class Meeting {
    std::string folder_;
    Fd listener_;

public:
    Meeting() = default;
    Meeting(const Meeting&) = delete;
    Meeting& operator=(const Meeting&) = delete;
    ~Meeting()
    {
        std::error_code ignored;
        if (!folder_.empty())
            std::filesystem::remove_all(folder_, ignored);
    }

    Result<void> open()
    {
        std::string folder = "/tmp/jrun.XXXXXX";
        if (!::mkdtemp(folder.data()))
            return std::unexpected(system_error(errno, "cannot make a folder in /tmp"));
        folder_ = folder;
        auto listener = wire::listen_unix({.path = path(), .mode = 0600});
        if (!listener)
            return std::unexpected(listener.error());
        listener_ = std::move(*listener);
        return {};
    }
    std::string path() const { return folder_ + "/caller"; }
    int fd() const { return listener_.get(); }

    // Whoever comes gets our descriptors, if it is of the same user (or of root, who may have everything).
    Fd hand_over() const
    {
        Fd peer(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC));
        const auto who = peer ? wire::peer_credentials(peer.get()) : fail(Errc::unavailable, "nobody");
        if (!who || (who->uid != ::geteuid() && who->uid != 0))
            return Fd();
        constexpr std::array numbers{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof numbers)] = {};
        char byte = 0;
        iovec data{&byte, 1};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof numbers);
        std::memcpy(CMSG_DATA(header), numbers.data(), sizeof numbers);
        return ::sendmsg(peer.get(), &message, MSG_NOSIGNAL) == 1 ? std::move(peer) : Fd();
    }
};

// The job's script: this program if it is there, else the one of the node.
std::string script()
{
    std::error_code error;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", error).string();
    std::string quoted;
    for (const char c : own)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return fmt::format("#!/bin/sh\nif [ -x '{0}' ]; then exec '{0}' \"$@\"; fi\nexec jrun \"$@\"\n", quoted);
}

// What the inner jrun is called with: the same, without what has become the job's own.
std::vector<std::string> inner_arguments(const CommandLine& line)
{
    constexpr std::array<std::string_view, 12> of_the_job{"partition", "mem", "mem-per-cpu", "exclude", "constraint", "gres", "exclusive",
                                                          "comment", "time", "chdir", "export", "nodelist"};
    std::vector<std::string> arguments;
    for (const auto& given : line.options)
        if (std::ranges::find(of_the_job, given.option->name) == of_the_job.end())
            arguments.push_back(given.option->value.empty() || (given.option->optional_value && given.value.empty())
                                    ? fmt::format("--{}", given.option->name)
                                    : fmt::format("--{}={}", given.option->name, given.value));
    arguments.emplace_back("--");
    arguments.insert(arguments.end(), line.words.begin(), line.words.end());
    return arguments;
}

Result<wire::Submit> make_submit(const Program& program, const CommandLine& line, SubmitOptions options, const std::string& meeting)
{
    auto& request = options.submitted.request;
    if (request.name.empty())
        request.name = line.words[0].substr(line.words[0].rfind('/') + 1);
    request.arguments = inner_arguments(line);
    request.output = "/dev/null"; // until it has the caller's descriptors
    request.error = "/dev/null";
    if (auto described = describe_here(options); !described)
        return std::unexpected(described.error());
    const auto request_id = make_request_id();
    if (!request_id)
        return std::unexpected(request_id.error());
    wire::Submit submit;
    submit.set_request_id(*request_id);
    submit.set_made_us(wall_now().time_since_epoch().count());
    options.submitted.requeue = false; // its caller would not see a second start
    *submit.mutable_job() = wire::to_submit_message(options.submitted);
    submit.set_script(script());
    *submit.mutable_environment() = collect_environment(options.exported, process_environment(),
                                                        [&](std::string_view text) { report(program, text, Exit::done); });
    submit.mutable_environment()->add_variables(fmt::format("{}={}", caller_variable, meeting));
    return submit;
}

class Caller {
    const Program& program_;
    const Meeting& meeting_;
    std::uint64_t job_;
    Fd signals_;
    Fd ended_; // readable when the job has
    Fd inner_;
    bool met_ = false;
    bool cancelled_ = false;

    void say(std::string_view text) const { report(program_, text, Exit::done); }

    void cancel()
    {
        wire::Request request;
        auto& change = *request.mutable_change_jobs();
        change.set_action(wire::ChangeJobs::CANCEL);
        if (!filter_ids(*change.mutable_filter(), std::vector{fmt::format("{}", job_)}))
            return;
        if (const auto reply = ask_once(program_.name, std::move(request)); !reply)
            say(fmt::format("cannot cancel job {}: {}", job_, reply.error().message));
    }

    // The signal that ends this process too: the second one of those that cancel.
    int read_signals()
    {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
            const int signal = static_cast<int>(info.ssi_signo);
            if (std::ranges::find(cancelling, signal) == std::end(cancelling)) {
                const char byte = static_cast<char>(signal);
                if (inner_)
                    (void)!::send(inner_.get(), &byte, 1, MSG_NOSIGNAL);
            } else if (!std::exchange(cancelled_, true)) {
                say(fmt::format("cancelling job {}", job_));
                cancel();
            } else {
                return signal;
            }
        }
        return 0;
    }

public:
    Caller(const Program& program, const Meeting& meeting, std::uint64_t job, Fd signals)
        : program_(program), meeting_(meeting), job_(job), signals_(std::move(signals)), ended_(::eventfd(0, EFD_CLOEXEC))
    {
    }

    void job_has_ended() const
    {
        const std::uint64_t one = 1;
        (void)!::write(ended_.get(), &one, sizeof one);
    }
    bool met() const { return met_; }

    // Until the job has ended (0), or a second signal says that it is not to be waited for.
    int serve()
    {
        const auto quiet = std::chrono::steady_clock::now() + quiet_wait;
        bool told = false;
        while (true) {
            pollfd waits[] = {{ended_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {met_ ? -1 : meeting_.fd(), POLLIN, 0}};
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(quiet - std::chrono::steady_clock::now()).count();
            ::poll(waits, 3, met_ || told ? -1 : static_cast<int>(std::max<std::int64_t>(left, 0)));
            if (waits[0].revents != 0)
                return 0;
            if (waits[1].revents != 0)
                if (const int signal = read_signals(); signal != 0)
                    return signal;
            if (waits[2].revents != 0) {
                inner_ = meeting_.hand_over();
                met_ = static_cast<bool>(inner_);
            }
            if (!met_ && !told && std::chrono::steady_clock::now() >= quiet) {
                told = true;
                say(fmt::format("waiting for job {} to start", job_));
            }
        }
    }
};

Fd block_signals()
{
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : cancelling)
        ::sigaddset(&set, signal);
    for (const int signal : passed_on)
        ::sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int report_end(const Program& program, std::uint64_t job, const Result<wire::JobDetail>& detail, bool met)
{
    if (!detail)
        return report(program, fmt::format("waiting for job {}: {}", job, detail.error().message), exit_for(detail.error().code));
    const auto& end = detail->summary().end();
    const bool own_end = end.has_exit_code() && exit_status(end) == end.exit_code();
    if (!own_end || (!met && end.exit_code() != 0)) // else the inner jrun has said it
        report(program, end_text(job, end), Exit::done);
    if (!met && own_end)
        report(program, "it ran where it cannot reach the descriptors of this jrun: use jsub, or jrun on the machine that the job runs on",
               Exit::done);
    return exit_status(end);
}

} // namespace

int run_outside(const Program& program, const CommandLine& line, const StepOptions& options)
{
    if (auto good = check_placement(options.job.submitted.request.resources); !good)
        return report(program, good.error().message, Exit::usage);
    const auto limits = retry_limits_from_environment();
    if (!limits)
        return report(program, limits.error().message, Exit::usage);
    Meeting meeting;
    if (auto opened = meeting.open(); !opened)
        return report(program, opened.error());
    auto submit = make_submit(program, line, options.job, meeting.path());
    if (!submit)
        return report(program, submit.error());
    const auto talk = [&](std::string_view text) { report(program, text, Exit::done); };
    auto signals = block_signals();
    const auto reply = client::submit(program.name, *submit, *limits, talk);
    if (!reply)
        return report(program, reply.error());
    for (const auto& warning : reply->submit().warnings())
        talk("warning: " + escape_for_terminal(warning));
    const auto job = reply->submit().job_id();
    Caller caller(program, meeting, job, std::move(signals));
    Result<wire::JobDetail> detail = fail(Errc::unavailable, "not waited for");
    std::thread waiting([&] {
        detail = wait_for_end(program.name, job, talk);
        caller.job_has_ended();
    });
    if (const int signal = caller.serve(); signal != 0) {
        waiting.detach();
        std::_Exit(exit_of_signal + signal); // the thread may wait for long
    }
    waiting.join();
    return report_end(program, job, detail, caller.met());
}

Result<Fd> take_descriptors_of_caller(const std::string& path)
{
    const auto address = wire::unix_address(path);
    if (!address)
        return std::unexpected(address.error());
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot connect to {}", path)));
    alignas(cmsghdr) char control[CMSG_SPACE(descriptors * sizeof(int))] = {};
    char byte = 0;
    iovec data{&byte, 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
    const auto* header = size == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(descriptors * sizeof(int)))
        return fail(Errc::unavailable, "{}: nothing was handed over", path);
    std::array<int, descriptors> numbers{};
    std::memcpy(numbers.data(), CMSG_DATA(header), sizeof numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        ::dup2(numbers[i], static_cast<int>(i));
        ::close(numbers[i]);
    }
    return socket;
}

} // namespace jarvis::client
