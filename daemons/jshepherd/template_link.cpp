#include "template_link.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace jarvis::shepherd {
namespace {

constexpr int template_socket = 3; // where the template finds its end
constexpr int load_limit_ms = 30'000;
constexpr int end_limit_ms = 2'000;
constexpr int end_pause_ms = 5;
// The whole environment of an ordinary job several times over, so that orders seldom wait for the template.
constexpr int socket_buffer = 1 << 20;

struct SpawnActions {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    explicit SpawnActions(int socket)
    {
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, socket, template_socket);
        posix_spawnattr_init(&attributes);
    }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;
    ~SpawnActions()
    {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
};

bool read_whole(int fd, char* to, std::size_t size)
{
    while (size > 0) {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, load_limit_ms) == 0)
            return false;
        const ssize_t got = ::recv(fd, to, size, 0);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        to += std::max<ssize_t>(got, 0);
        size -= static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    }
    return true;
}

} // namespace

// Executed anew, not only forked: so it holds nothing of ours, and stays as small as at the first start.
Result<void> TemplateLink::spawn()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return std::unexpected(system_error(errno, "socketpair"));
    socket_ = Fd(ends[0]);
    const Fd theirs(ends[1]);
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &socket_buffer, sizeof socket_buffer);

    std::vector<std::string> words{"jshepherd: template", runtime_, std::to_string(template_socket), plugin_file_, launcher_};
    for (const auto& [name, text] : settings_)
        words.push_back(name + '=' + text);
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    const SpawnActions spawn(theirs.get());
    if (const int error = posix_spawn(&pid_, "/proc/self/exe", &spawn.actions, &spawn.attributes, argv.data(), environ);
        error != 0) {
        socket_ = Fd();
        pid_ = 0;
        return std::unexpected(system_error(error, "cannot start the template of runtime " + runtime_));
    }
    return {};
}

Result<void> TemplateLink::read_report()
{
    Reply report{};
    if (!read_whole(socket_.get(), reinterpret_cast<char*>(&report), sizeof report) || report.pid != -1)
        return fail(Errc::unavailable, "template of runtime {}: it ended before it had loaded its plugin", runtime_);
    std::string text(static_cast<std::size_t>(report.value), '\0');
    if (!read_whole(socket_.get(), text.data(), text.size()) || !text.empty())
        return fail(Errc::invalid, "runtime {} cannot be loaded: {}", runtime_, text);
    return {};
}

Result<void> TemplateLink::start()
{
    started_ = std::chrono::steady_clock::now();
    received_.clear();
    sent_ = offset_ = 0;
    problem_.clear();
    auto started = spawn();
    if (started)
        started = read_report();
    if (!started) {
        problem_ = started.error().message;
        if (pid_ > 0)
            ::kill(pid_, SIGKILL); // not yet reaped: the number is still its own
        lose();
    }
    return started;
}

void TemplateLink::end()
{
    if (!alive())
        return;
    socket_ = Fd();
    for (int waited = 0; waited < end_limit_ms && ::waitpid(pid_, nullptr, WNOHANG) == 0; waited += end_pause_ms)
        ::poll(nullptr, 0, end_pause_ms);
}

bool TemplateLink::flush()
{
    while (wants_to_write()) {
        const Request& next = requests_[sent_];
        RequestHeader header{static_cast<std::uint32_t>(next.bytes.size()), next.kind};
        const std::size_t of_header = std::min(offset_, sizeof header);
        const std::size_t of_bytes = offset_ - of_header;
        iovec parts[2] = {{reinterpret_cast<char*>(&header) + of_header, sizeof header - of_header},
                          {const_cast<char*>(next.bytes.data()) + of_bytes, next.bytes.size() - of_bytes}};
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return errno == EAGAIN;
        offset_ += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        if (offset_ == sizeof header + next.bytes.size()) {
            ++sent_;
            offset_ = 0;
        }
    }
    return alive();
}

bool TemplateLink::receive(std::vector<Answer>& answers)
{
    bool open = true;
    for (;;) {
        char part[4096];
        const ssize_t size = ::recv(socket_.get(), part, sizeof part, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0) {
            open = size < 0 && errno == EAGAIN;
            break;
        }
        received_.append(part, static_cast<std::size_t>(size));
        if (static_cast<std::size_t>(size) < sizeof part)
            break;
    }
    std::size_t used = 0;
    for (Reply reply{}; received_.size() - used >= sizeof reply && sent_ > 0; used += sizeof reply) {
        std::memcpy(&reply, received_.data() + used, sizeof reply);
        answers.push_back({take_first(), reply});
    }
    received_.erase(0, used);
    return open;
}

const Request* TemplateLink::lose()
{
    const bool was_at_one = sent_ > 0;
    socket_ = Fd();
    pid_ = 0;
    sent_ = offset_ = 0;
    return was_at_one ? &requests_.front() : nullptr;
}

Request TemplateLink::take_first()
{
    Request first = std::move(requests_.front());
    requests_.pop_front();
    if (sent_ > 0)
        --sent_;
    return first;
}

std::deque<Request> TemplateLink::take_all()
{
    sent_ = offset_ = 0;
    return std::exchange(requests_, {});
}

} // namespace jarvis::shepherd
