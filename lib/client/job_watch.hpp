// What becomes of a job, while its submitter does other things: on which node it runs, and how it ended.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "client.pb.h"
#include "client/submit.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace jarvis::client {

class JobWatch {
    std::string program_;
    std::uint64_t job_;
    Talk talk_;
    Fd changed_;
    mutable std::mutex mutex_;
    std::condition_variable stopping_;
    bool stopped_ = false;
    std::string node_;
    std::optional<Result<wire::JobDetail>> end_;
    std::thread waiting_, looking_;

    void wait();
    void look();
    void tell() const;

public:
    // Starts with it.
    JobWatch(std::string program, std::uint64_t job, Talk talk);
    JobWatch(const JobWatch&) = delete;
    JobWatch& operator=(const JobWatch&) = delete;
    // Waits for the job's end.
    ~JobWatch();

    int fd() const { return changed_.get(); } // readable when something has changed, until clear()
    void clear() const;
    // Of the job's script, while it runs; empty: it does not, or it is not known yet.
    std::string node() const;
    // The controller is not asked for the node any more.
    void stop_looking();
    bool has_ended() const;
    Result<wire::JobDetail> end() const;
};

} // namespace jarvis::client
