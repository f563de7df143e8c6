// jrun's connection to the node daemon of its job's first node. It may be lost while the daemon is started anew: the same request
// on another one finds the step as it is.
#pragma once

#include "base/result.hpp"
#include "steps.pb.h"
#include "wire/blocking.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace jarvis::client {

class StepChannel {
    std::string path_;
    wire::StepRequest request_;
    std::optional<wire::BlockingConnection> connection_;
    pid_t daemon_ = 0;

public:
    StepChannel(std::string path, wire::StepRequest request) : path_(std::move(path)), request_(std::move(request)) {}

    // And asks for the step.
    Result<void> connect();
    // After a failure there is no connection any more.
    Result<wire::ToRun> receive(wire::Deadline deadline);
    Result<void> send(const wire::FromRun& message);
    void close() { connection_.reset(); }

    const std::string& path() const { return path_; }
    const wire::StepRequest& request() const { return request_; }
    bool is_open() const { return connection_.has_value(); }
    int fd() const { return connection_ ? connection_->fd() : -1; }
    // The daemon's process, as the kernel knows it; 0: there never was a connection.
    pid_t daemon() const { return daemon_; }
};

} // namespace jarvis::client
