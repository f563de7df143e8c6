// The state folder: one writer at a time, on a local disk, with some space kept back for bad days.
#pragma once

#include <jarvis/storage.hpp>

#include <mutex>
#include <string>
#include <utility>

namespace sqlite_storage {

class FileDescriptor {
    int fd_;

public:
    explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileDescriptor();
    int get() const noexcept { return fd_; }
};

// "<what>: no space left on device", from errno.
[[noreturn]] void fail_errno(const std::string& what);

// Refuses network file systems, where neither locks nor fsync can be trusted.
void check_file_system(const std::string& folder);

// The right to write, until it is destroyed (or the process dies).
FileDescriptor lock_folder(const std::string& folder);

// "3.5 MiB".
std::string readable_size(std::uint64_t bytes);

// The space on the folder's disk, and a file there that holds some of it back. One thread at a time.
class Space {
    std::string folder_;
    std::uint64_t wanted_;    // size of the whole reserve
    std::uint64_t low_water_; // less than this is left for submits: `reserve`
    std::uint64_t held_ = 0;  // what the file holds back now
    FileDescriptor file_;

    std::uint64_t free_bytes() const;
    void resize(std::uint64_t size);

public:
    Space(std::string folder, std::uint64_t reserve);

    // Is there room for so many bytes, without the reserve?
    bool has_room(std::uint64_t bytes) const;
    // Gives back some of the reserve when so many bytes would not fit without it.
    void make_room(std::uint64_t bytes);
    // Fills the reserve up again if there is plenty. True: all is well. Else why not.
    bool recover(std::string& why);
    std::string shortage() const;
};

} // namespace sqlite_storage
