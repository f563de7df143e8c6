#include "template.hpp"

#include "base/fd.hpp"
#include "device_programs.hpp"
#include "log.hpp"
#include "shepherd.hpp"
#include "template_protocol.hpp"

#include "shepherd.pb.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <linux/sched.h>
#include <new>
#include <string_view>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace jarvis::shepherd {
namespace {

// Where orders are received. An order with an ordinary environment fits; a larger one grows it, and that is given back, since
// a fork costs more the more memory there is. Shepherds do not get a copy: they have the parsed order.
class ReceiveBuffer {
    static constexpr std::size_t usual = std::size_t{64} << 10;

    char* bytes_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0; // of what was received and not yet used
    std::size_t end_ = 0;

    void reserve(std::size_t capacity)
    {
        void* fresh = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED)
            throw std::bad_alloc();
        ::madvise(fresh, capacity, MADV_DONTFORK);
        if (bytes_ != nullptr) {
            std::memcpy(fresh, bytes_ + begin_, end_ - begin_);
            ::munmap(bytes_, capacity_);
        }
        end_ -= std::exchange(begin_, 0);
        bytes_ = static_cast<char*>(fresh);
        capacity_ = capacity;
    }

public:
    ReceiveBuffer() { reserve(usual); }
    ReceiveBuffer(const ReceiveBuffer&) = delete;
    ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;

    // At least so many bytes from data() on. False: the other end has gone.
    bool receive(int socket, std::size_t wanted)
    {
        if (begin_ + wanted > capacity_) {
            if (wanted > capacity_)
                reserve(wanted);
            std::memmove(bytes_, bytes_ + begin_, end_ - begin_);
            end_ -= std::exchange(begin_, 0);
        }
        while (end_ - begin_ < wanted) {
            const ssize_t size = ::recv(socket, bytes_ + end_, capacity_ - end_, 0);
            if (size == 0 || (size < 0 && errno != EINTR))
                return false;
            end_ += size > 0 ? static_cast<std::size_t>(size) : 0;
        }
        return true;
    }
    const char* data() const { return bytes_ + begin_; }
    void use(std::size_t size)
    {
        begin_ += size;
        if (begin_ == end_)
            begin_ = end_ = 0;
        if (capacity_ > usual && end_ - begin_ <= usual)
            reserve(usual);
    }
};

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

// The order's memory is used again for the next one, unless it was a large one.
constexpr std::size_t largest_kept_order = std::size_t{64} << 10;

[[noreturn]] void leave(ShepherdExit code)
{
    ::_exit(static_cast<int>(code)); // no destructors: what they would free is the template's
}

class Template {
    RuntimePlugin runtime_;
    Fd socket_;
    ReceiveBuffer buffer_;
    // Parsed here and not in the shepherd: the memory and code that it takes are at hand here, and would be fetched page by page there.
    wire::ToLauncher order_;
    DevicePrograms device_programs_; // likewise: most jobs of a node have the same one

public:
    Template(RuntimePlugin runtime, Fd socket) : runtime_(runtime), socket_(std::move(socket)) {}

    void serve()
    {
        RequestHeader header{};
        while (buffer_.receive(socket_.get(), sizeof header)) {
            std::memcpy(&header, buffer_.data(), sizeof header);
            buffer_.use(sizeof header);
            if (!buffer_.receive(socket_.get(), header.size))
                return;
            // The launcher has parsed it before: this fails for want of memory alone.
            const bool parsed = order_.ParseFromArray(buffer_.data(), static_cast<int>(header.size));
            answer(parsed ? fork_shepherd(header.kind) : Reply{0, ENOMEM});
            buffer_.use(header.size);
            if (header.size > largest_kept_order)
                wire::ToLauncher().Swap(&order_);
        }
    }

private:
    void answer(Reply reply)
    {
        ::send(socket_.get(), &reply, sizeof reply, MSG_NOSIGNAL);
    }

    // CLONE_PARENT: the shepherd is the launcher's child, who so learns of its end at first hand, and whether this process lives or
    // not. glibc's fork cannot do that; what it would do besides (locks of other threads, its handlers) is not needed here.
    Reply fork_shepherd(RequestKind kind)
    {
        const auto devices = kind == RequestKind::launch ? device_programs_.program_for(order_.launch()) : DeviceProgram(nullptr);
        const long pid = ::syscall(SYS_clone, CLONE_PARENT, nullptr, nullptr, nullptr, nullptr);
        if (pid == 0)
            become_shepherd(kind, devices);
        return pid < 0 ? Reply{0, errno} : Reply{static_cast<std::int32_t>(pid), 0};
    }

    [[noreturn]] void become_shepherd(RequestKind kind, const DeviceProgram& devices)
    {
        try {
            socket_ = Fd();
            if (kind == RequestKind::launch)
                leave(run_job(runtime_, order_.launch(), devices));
            clean_after_job(order_.launch());
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
