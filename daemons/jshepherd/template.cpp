#include "template.hpp"

#include "base/fd.hpp"
#include "log.hpp"
#include "shepherd.hpp"
#include "template_protocol.hpp"

#include "shepherd.pb.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <linux/sched.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace jarvis::shepherd {
namespace {

// An order with an ordinary environment fits. What a large one made the buffer grow to is given back, since a fork costs more
// the more memory there is.
constexpr std::size_t usual_buffer = std::size_t{64} << 10;

// Shepherds, and through them jobs, begin with default actions, whatever our starter ignored. Asked of the kernel itself, since glibc
// keeps two signals to itself that a starter may have ignored all the same. Everything is blocked in templates and
// shepherds: a terminal's Ctrl-C and a stray SIGTERM must not end jobs.
void prepare_signals()
{
    struct { // the kernel's sigaction: SIG_DFL is zero
        void* handler;
        unsigned long flags;
        void* restorer;
        unsigned long mask;
    } default_action{};
    for (int number = 1; number <= SIGRTMAX; ++number)
        ::syscall(SYS_rt_sigaction, number, &default_action, nullptr, sizeof default_action.mask);
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

[[noreturn]] void leave(ShepherdExit code)
{
    ::_exit(static_cast<int>(code)); // no destructors: what they would free is the template's
}

class Template {
    RuntimePlugin runtime_;
    Fd socket_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0; // of what was received and not yet used
    std::size_t end_ = 0;

public:
    Template(RuntimePlugin runtime, Fd socket)
        : runtime_(runtime), socket_(std::move(socket)), buffer_(usual_buffer)
    {
    }

    void serve()
    {
        RequestHeader header{};
        while (receive(sizeof header)) {
            std::memcpy(&header, buffer_.data() + begin_, sizeof header);
            begin_ += sizeof header;
            if (!receive(header.size))
                return;
            answer(fork_shepherd(header.kind, std::string_view(buffer_.data() + begin_, header.size)));
            begin_ += header.size;
            if (begin_ == end_ && buffer_.size() > usual_buffer)
                std::vector<char>(usual_buffer).swap(buffer_), begin_ = end_ = 0;
        }
    }

private:
    // At least so many bytes from begin_ on. False: the launcher has gone.
    bool receive(std::size_t wanted)
    {
        if (begin_ == end_)
            begin_ = end_ = 0;
        if (begin_ + wanted > buffer_.size()) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= std::exchange(begin_, 0);
            if (wanted > buffer_.size())
                buffer_.resize(wanted);
        }
        while (end_ - begin_ < wanted) {
            const ssize_t size = ::recv(socket_.get(), buffer_.data() + end_, buffer_.size() - end_, 0);
            if (size == 0 || (size < 0 && errno != EINTR))
                return false;
            end_ += size > 0 ? static_cast<std::size_t>(size) : 0;
        }
        return true;
    }

    void answer(Reply reply)
    {
        ::send(socket_.get(), &reply, sizeof reply, MSG_NOSIGNAL);
    }

    // CLONE_PARENT: the shepherd is the launcher's child, who so learns of its end at first hand, and whether this process lives or
    // not. glibc's fork cannot do that; what it would do besides (locks of other threads, its handlers) is not needed here.
    Reply fork_shepherd(RequestKind kind, std::string_view order)
    {
        const long pid = ::syscall(SYS_clone, CLONE_PARENT, nullptr, nullptr, nullptr, nullptr);
        if (pid == 0)
            become_shepherd(kind, order);
        return pid < 0 ? Reply{0, errno} : Reply{static_cast<std::int32_t>(pid), 0};
    }

    [[noreturn]] void become_shepherd(RequestKind kind, std::string_view bytes)
    {
        try {
            socket_ = Fd();
            wire::ToLauncher message;
            if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
                leave(ShepherdExit::failed); // the launcher has parsed it before

            if (kind == RequestKind::launch)
                leave(run_job(runtime_, message.launch()));
            clean_after_job(message.launch());
            leave(ShepherdExit::done);
        } catch (const std::exception& error) { // out of memory
            log_error("shepherd: {}", error.what());
            leave(ShepherdExit::failed);
        }
    }
};

void report(int socket, std::string_view problem)
{
    const Reply header{-1, static_cast<std::int32_t>(problem.size())};
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += problem;
    ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

} // namespace

int run_template(const TemplateOptions& options)
{
    prepare_signals();
    ::prctl(PR_SET_NAME, "jshepherd"); // it was executed as /proc/self/exe
    Fd socket(options.socket);
    auto runtime = RuntimePlugin::load(options.plugin_file, options.settings);
    report(socket.get(), runtime ? std::string_view() : std::string_view(runtime.error().message));
    if (!runtime)
        return 1;
    Template(std::move(*runtime), std::move(socket)).serve();
    return 0;
}

} // namespace jarvis::shepherd
