#include "client/step_meeting.hpp"

#include "base/escape.hpp"
#include "client/submit.hpp"
#include "wire/same_secret.hpp"
#include "wire/unix_socket.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace jarvis::client {
namespace {

constexpr std::size_t token_size = 16;
constexpr std::string_view folder_pattern = "/jrun.XXXXXX", socket_name = "/caller";
constexpr std::size_t descriptors = 3;
// Of the other one of two that are on the same machine and have nothing else to do. A caller may stand still (^Z).
constexpr time_t token_seconds = 1, descriptors_seconds = 5;

void limit_waits(const Fd& socket, time_t seconds)
{
    const timeval limit{.tv_sec = seconds, .tv_usec = 0};
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

bool is_ours(const Fd& socket)
{
    const auto peer = wire::peer_credentials(socket.get());
    return peer && (peer->uid == ::geteuid() || peer->uid == 0);
}

} // namespace

std::string format_caller_place(const CallerPlace& place) { return fmt::format("{}:{}", request_id_text(place.token), place.socket); }

Result<CallerPlace> parse_caller_place(std::string_view text)
{
    const auto colon = text.find(':');
    auto token = parse_request_id(text.substr(0, colon));
    if (!token || colon == text.npos || !text.substr(colon + 1).starts_with('/'))
        return fail(Errc::invalid, "{}: \"{}\" is no token and path", caller_variable, escape_for_terminal(text));
    return CallerPlace{std::move(*token), std::string(text.substr(colon + 1))};
}

std::string meetings_folder(const char* tmpdir)
{
    const std::string folder = tmpdir ? tmpdir : "";
    const bool fits = folder.size() + folder_pattern.size() + socket_name.size() <= wire::max_socket_path;
    return folder.starts_with('/') && fits ? folder : "/tmp";
}

Result<void> Meeting::open()
{
    auto token = make_request_id(); // as random, and as long
    if (!token)
        return std::unexpected(token.error());
    const auto parent = meetings_folder(std::getenv("TMPDIR"));
    auto folder = fmt::format("{}{}", parent, folder_pattern);
    if (!::mkdtemp(folder.data()))
        return std::unexpected(system_error(errno, fmt::format("cannot make a folder in {}", escape_for_terminal(parent))));
    folder_ = folder;
    place_ = {std::move(*token), fmt::format("{}{}", folder_, socket_name)};
    auto listener = wire::listen_unix({.path = place_.socket, .mode = 0600});
    if (!listener)
        return std::unexpected(listener.error());
    listener_ = std::move(*listener);
    return {};
}

void Meeting::close()
{
    listener_ = Fd();
    std::error_code ignored;
    if (!folder_.empty())
        std::filesystem::remove_all(folder_, ignored);
    folder_.clear();
}

Fd Meeting::hand_over() const
{
    Fd peer(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer || !is_ours(peer))
        return Fd();
    limit_waits(peer, token_seconds);
    char token[token_size];
    const auto got = ::recv(peer.get(), token, sizeof token, MSG_WAITALL);
    if (got != sizeof token || !wire::same_secret({token, sizeof token}, place_.token))
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

Result<Fd> take_descriptors_of_caller(const CallerPlace& place)
{
    const auto address = wire::unix_address(place.socket);
    if (!address)
        return std::unexpected(address.error());
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot connect to {}", place.socket)));
    if (!is_ours(socket)) // and so it is not told the token
        return fail(Errc::denied, "{} is another user's", place.socket);
    limit_waits(socket, descriptors_seconds);
    (void)!::send(socket.get(), place.token.data(), place.token.size(), MSG_NOSIGNAL);
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
        return fail(Errc::unavailable, "{}: nothing was handed over", place.socket);
    std::array<int, descriptors> numbers{};
    std::memcpy(numbers.data(), CMSG_DATA(header), sizeof numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        ::dup2(numbers[i], static_cast<int>(i));
        ::close(numbers[i]);
    }
    limit_waits(socket, 0); // none
    return socket;
}

} // namespace jarvis::client
