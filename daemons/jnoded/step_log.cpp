#include "step_log.hpp"

#include "wire/frame.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

constexpr std::size_t long_file = std::size_t{256} << 10; // bytes
// A grant names every task and its processors.
constexpr std::size_t max_record = std::size_t{64} << 20;

std::string path_in(const std::string& job_folder) { return job_folder + "/steps"; }

Result<void> write_whole(const Fd& file, std::string_view bytes, const std::string& path)
{
    while (!bytes.empty()) {
        const auto size = ::write(file.get(), bytes.data(), bytes.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return std::unexpected(system_error(errno, fmt::format("cannot write {}", path)));
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return {};
}

Result<std::string> read_whole(const Fd& file, const std::string& path)
{
    std::string bytes;
    char part[65536];
    while (true) {
        const auto size = ::read(file.get(), part, sizeof part);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return std::unexpected(system_error(errno, fmt::format("cannot read {}", path)));
        if (size == 0)
            return bytes;
        bytes.append(part, static_cast<std::size_t>(size));
    }
}

} // namespace

bool StepLog::exists(const std::string& job_folder) { return ::access(path_in(job_folder).c_str(), F_OK) == 0; }

Result<StepLog> StepLog::open(const std::string& job_folder, const std::function<void(wire::StepRecord&&)>& take)
{
    StepLog log(path_in(job_folder));
    log.file_ = Fd(::open(log.path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log.file_)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}", log.path_)));
    auto bytes = read_whole(log.file_, log.path_);
    if (!bytes)
        return std::unexpected(bytes.error());
    wire::FrameReader reader(max_record);
    reader.feed(*bytes);
    while (true) {
        auto frame = reader.next();
        if (!frame)
            return fail(frame.error(), "{}", log.path_);
        if (!*frame)
            break;
        auto record = wire::parse<wire::StepRecord>(**frame);
        if (!record)
            return fail(record.error(), "{}", log.path_);
        log.size_ += wire::frame_header_size + (**frame).size();
        take(std::move(*record));
    }
    if (log.size_ < bytes->size() && ::ftruncate(log.file_.get(), static_cast<off_t>(log.size_)) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot cut {}", log.path_)));
    return log;
}

Result<void> StepLog::append(const wire::StepRecord& record)
{
    std::string bytes;
    wire::append_frame(bytes, record);
    if (auto written = write_whole(file_, bytes, path_); !written) {
        (void)!::ftruncate(file_.get(), static_cast<off_t>(size_)); // a record is there whole or not at all
        return written;
    }
    size_ += bytes.size();
    return {};
}

Result<void> StepLog::rewrite(std::span<const wire::StepRecord> records)
{
    std::string bytes;
    for (const auto& record : records)
        wire::append_frame(bytes, record);
    const auto other = path_ + ".tmp";
    Fd file(::open(other.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file)
        return std::unexpected(system_error(errno, fmt::format("cannot open {}", other)));
    if (auto written = write_whole(file, bytes, other); !written)
        return written;
    if (std::rename(other.c_str(), path_.c_str()) != 0)
        return std::unexpected(system_error(errno, fmt::format("cannot rename {}", other)));
    file_ = std::move(file);
    size_ = rewritten_ = bytes.size();
    return {};
}

bool StepLog::is_long() const { return size_ > std::max(long_file, 2 * rewritten_); }

} // namespace jarvis::noded
