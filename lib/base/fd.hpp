// A file descriptor that closes itself.
#pragma once

#include <utility>

namespace jarvis {

class Fd {
    int fd_;

public:
    explicit Fd(int fd = -1) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd();

    int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }
    explicit operator bool() const noexcept { return fd_ >= 0; }
};

} // namespace jarvis
