// The commands' side of a connection: a blocking UNIX socket, no threads, no Asio.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"
#include "wire/hello.hpp"

#include <chrono>
#include <string>

namespace jarvis::wire {

using Deadline = std::chrono::steady_clock::time_point;
constexpr Deadline no_deadline = Deadline::max();
// A limit beyond a year, such as milliseconds::max(), is none.
inline Deadline deadline_in(std::chrono::milliseconds limit)
{
    return limit > std::chrono::hours(24 * 366) ? no_deadline : std::chrono::steady_clock::now() + limit;
}

// Every failure to reach, send or receive in time has the code `unavailable`; after one the connection is of no more use,
// since it may be in the middle of a message. A frame over the limit or one that is no message is `corrupt`.
class BlockingConnection {
    Fd socket_;
    FrameReader reader_;
    std::string path_; // for messages
    std::string out_;  // kept for its capacity

    explicit BlockingConnection(Fd socket, std::string path, std::size_t max_frame)
        : socket_(std::move(socket)), reader_(max_frame), path_(std::move(path))
    {
    }

public:
    static Result<BlockingConnection> connect(const std::string& path, std::chrono::milliseconds limit,
                                              std::size_t max_frame = limits::default_frame);

    Result<void> send(const google::protobuf::MessageLite& message, Deadline deadline);

    // The next frame's payload; the peer closing the connection is a failure.
    Result<std::string> receive_frame(Deadline deadline);
    template <class Message>
    Result<Message> receive(Deadline deadline)
    {
        Message message;
        auto received = receive(message, deadline);
        return received ? Result<Message>(std::move(message)) : std::unexpected(std::move(received.error()));
    }
    template <class Message>
    Result<void> receive(Message& message, Deadline deadline)
    {
        auto frame = receive_frame(deadline);
        return frame ? parse_into(message, *frame) : std::unexpected(std::move(frame.error()));
    }

    // Sends our Hello, receives and checks theirs (a refusal comes back as the error).
    Result<Hello> exchange_hello(const Hello& ours, const ClusterIdentity& cluster, Deadline deadline);

    int fd() const { return socket_.get(); }
};

} // namespace jarvis::wire
