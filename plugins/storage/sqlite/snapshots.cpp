#include "snapshots.hpp"

#include "checksum.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sqlite_storage {

using jarvis_plugin::Failure;

namespace {

// A file is this header, the bytes, and the trailer. Numbers are little-endian.
constexpr std::string_view magic = "JRVSSNAP";
constexpr std::uint32_t version = 1;
constexpr std::size_t header_size = 8 + 4 + 4 + 8; // magic, version, 0, sequence
constexpr std::size_t trailer_size = 8 + 4 + 4;    // size of the bytes, their CRC-32C, 0
constexpr std::string_view suffix = ".snapshot";
constexpr std::string_view temporary_suffix = ".tmp";

template <class T>
void put(std::string& out, T number)
{
    for (std::size_t i = 0; i < sizeof number; ++i)
        out += static_cast<char>(number >> (8 * i));
}

template <class T>
T get(std::string_view bytes, std::size_t at)
{
    T number = 0;
    for (std::size_t i = 0; i < sizeof number; ++i)
        number |= static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    return number;
}

std::string file_name(std::uint64_t sequence)
{
    char name[32];
    std::snprintf(name, sizeof name, "%020llu", static_cast<unsigned long long>(sequence));
    return name;
}

void sync_folder(const std::string& folder)
{
    const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0)
        fail_errno(folder);
}

struct Entry {
    std::uint64_t sequence;
    std::uint64_t size;
    std::string path;
};

std::vector<Entry> entries(const std::string& folder)
{
    std::error_code error;
    std::filesystem::directory_iterator files(folder, error);
    if (error == std::errc::no_such_file_or_directory)
        return {};
    if (error)
        throw Failure(JARVIS_UNAVAILABLE, folder + ": " + error.message());
    std::vector<Entry> found;
    for (const auto& file : files) {
        const std::string stem = file.path().stem();
        std::uint64_t sequence = 0;
        const auto [end, wrong] = std::from_chars(stem.data(), stem.data() + stem.size(), sequence);
        if (file.path().extension() != suffix || wrong != std::errc{} || end != stem.data() + stem.size())
            continue;
        const std::uint64_t size = file.file_size(error);
        const std::uint64_t frame = header_size + trailer_size;
        found.push_back({sequence, error || size < frame ? 0 : size - frame, file.path()});
    }
    std::ranges::sort(found, std::ranges::greater{}, &Entry::sequence);
    return found;
}

// Hands over the bytes of a file in pieces; throws when anything about it is not as it was written.
class Reader {
    std::string path_;
    FileDescriptor file_;
    std::uint64_t size_ = 0;

    [[noreturn]] void corrupt(const std::string& what) const
    {
        throw Failure(JARVIS_CORRUPT, "snapshot " + path_ + ": " + what);
    }
    std::string_view fill(std::string& buffer, std::size_t size)
    {
        for (std::size_t done = 0; done < size;) {
            const ssize_t got = ::read(file_.get(), buffer.data() + done, size - done);
            if (got == 0)
                corrupt("is shorter than it says");
            if (got < 0 && errno != EINTR)
                fail_errno("snapshot " + path_);
            done += got > 0 ? static_cast<std::size_t>(got) : 0;
        }
        return {buffer.data(), size};
    }

public:
    explicit Reader(const std::string& path) : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC))
    {
        struct stat facts {};
        if (file_.get() < 0 || ::fstat(file_.get(), &facts) != 0)
            fail_errno("snapshot " + path);
        size_ = static_cast<std::uint64_t>(facts.st_size);
    }
    // Nothing of the file comes from memory after this, if the kernel is so kind.
    void forget_cache() { ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED); }

    template <class Each>
    void read(std::uint64_t sequence, Each&& each)
    {
        std::string buffer(1 << 20, '\0');
        if (size_ < header_size + trailer_size)
            corrupt("is shorter than a header");
        const std::string_view header = fill(buffer, header_size);
        if (!header.starts_with(magic))
            corrupt("is none");
        if (const auto found = get<std::uint32_t>(header, 8); found > version)
            throw Failure(JARVIS_INVALID, "snapshot " + path_ + ": has format " + std::to_string(found) +
                                              ", this storage plugin (sqlite " JARVIS_VERSION ") knows formats up to " +
                                              std::to_string(version));
        if (get<std::uint64_t>(header, 16) != sequence)
            corrupt("belongs to another sequence number");
        std::uint64_t left = size_ - header_size - trailer_size;
        const std::uint64_t size = left;
        std::uint32_t checksum = 0;
        while (left > 0) {
            const std::string_view piece = fill(buffer, std::min<std::uint64_t>(left, buffer.size()));
            left -= piece.size();
            checksum = crc32c(checksum, piece);
            if (!each(piece))
                return;
        }
        const std::string_view trailer = fill(buffer, trailer_size);
        if (get<std::uint64_t>(trailer, 0) != size || get<std::uint32_t>(trailer, 8) != checksum)
            corrupt("does not have its checksum");
    }
};

} // namespace

SnapshotWriter::SnapshotWriter(const std::string& folder, std::uint64_t sequence)
    : folder_(folder), temporary_(folder + "/" + file_name(sequence) + std::string(temporary_suffix)),
      final_(folder + "/" + file_name(sequence) + std::string(suffix)),
      file_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600))
{
    if (file_.get() < 0)
        fail_errno("snapshot " + temporary_);
    std::string header(magic);
    put(header, version);
    put(header, std::uint32_t{0});
    put(header, sequence);
    write_all(header);
}

SnapshotWriter::~SnapshotWriter()
{
    if (!done_)
        ::unlink(temporary_.c_str());
}

void SnapshotWriter::write_all(std::string_view data)
{
    while (!data.empty()) {
        const ssize_t written = ::write(file_.get(), data.data(), data.size());
        if (written < 0 && errno != EINTR)
            fail_errno("snapshot " + temporary_);
        data.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
}

void SnapshotWriter::write(std::string_view data)
{
    write_all(data);
    size_ += data.size();
    checksum_ = crc32c(checksum_, data);
}

void SnapshotWriter::commit()
{
    std::string trailer;
    put(trailer, size_);
    put(trailer, checksum_);
    put(trailer, std::uint32_t{0});
    write_all(trailer);
    if (::fsync(file_.get()) != 0)
        fail_errno("snapshot " + temporary_);
    Reader check(temporary_);
    check.forget_cache();
    check.read(std::stoull(std::filesystem::path(temporary_).stem()), [](std::string_view) { return true; });
    if (::rename(temporary_.c_str(), final_.c_str()) != 0)
        fail_errno("snapshot " + final_);
    done_ = true;
    sync_folder(folder_);
}

Snapshots::Snapshots(const std::string& state_folder, bool read_only)
    : folder_(state_folder + "/snapshots"), read_only_(read_only)
{
    if (read_only)
        return;
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
        fail_errno(folder_);
    std::error_code ignored; // what a crash left half written; it will be in the way of nobody
    for (const auto& file : std::filesystem::directory_iterator(folder_, ignored))
        if (file.path().extension() == temporary_suffix)
            std::filesystem::remove(file.path(), ignored);
}

void Snapshots::check_writable() const
{
    if (read_only_)
        throw Failure(JARVIS_DENIED, folder_ + ": was opened for reading alone");
}

std::unique_ptr<SnapshotWriter> Snapshots::begin(std::uint64_t sequence)
{
    check_writable();
    return std::make_unique<SnapshotWriter>(folder_, sequence);
}

void Snapshots::list(const jarvis_plugin::SnapshotSink& sink)
{
    for (const Entry& entry : entries(folder_))
        if (!sink(entry.sequence, entry.size))
            return;
}

void Snapshots::read(std::uint64_t sequence, const jarvis_plugin::PieceSink& sink)
{
    Reader(folder_ + "/" + file_name(sequence) + std::string(suffix)).read(sequence, [&](std::string_view piece) {
        return sink(piece.data(), piece.size());
    });
}

void Snapshots::remove(std::uint64_t before)
{
    check_writable();
    for (const Entry& entry : entries(folder_))
        if (entry.sequence < before && ::unlink(entry.path.c_str()) != 0 && errno != ENOENT)
            fail_errno("snapshot " + entry.path);
}

} // namespace sqlite_storage
