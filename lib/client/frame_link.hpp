// A socket on which frames come and go while other things are waited for.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"

#include <optional>
#include <string>

namespace jarvis::client {

class FrameLink {
    Fd socket_;
    wire::FrameReader reader_;
    std::string out_;
    std::size_t sent_ = 0;

    explicit FrameLink(Fd socket);

public:
    static Result<FrameLink> connect(const std::string& path);

    int fd() const { return socket_.get(); } // -1: closed
    bool is_open() const { return static_cast<bool>(socket_); }
    void close() { socket_ = Fd(); }

    void send(const google::protobuf::MessageLite& message);
    bool wants_to_write() const { return socket_ && sent_ < out_.size(); }
    std::size_t queued() const { return out_.size() - sent_; }
    // As much as goes without waiting; a failure closes it, which reading notices.
    void flush();

    // What has come, once; false: nothing more will.
    bool receive();
    // Nothing: no whole frame is there. A failure: what comes is no frame.
    Result<std::optional<std::string>> next() { return reader_.next(); }
};

} // namespace jarvis::client
