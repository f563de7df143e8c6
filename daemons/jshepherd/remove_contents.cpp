#include "base/directory.hpp"
#include "base/fd.hpp"
#include "temporary_folder.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

// Each level of a walk holds one descriptor. Deeper folders are moved up to the top first, so that a tree of any depth
// can be removed.
constexpr int deepest = 100;

class Remover {
    int top_;
    dev_t device_ = 0;
    unsigned moved_ = 0;
    bool again_ = false; // something was moved to the top
    std::string problem_;

public:
    explicit Remover(int top) : top_(top)
    {
        struct stat status {};
        if (::fstat(top, &status) == 0)
            device_ = status.st_dev;
    }

    std::string run(const std::string& path)
    {
        do {
            again_ = false;
            problem_.clear();
            const unsigned moved_before = moved_;
            remove_entries(top_, path, 0);
            again_ = moved_ != moved_before;
        } while (again_);
        return problem_;
    }

private:
    void note(const std::string& path, int error_number)
    {
        if (problem_.empty())
            problem_ = system_error(error_number, path).message;
    }

    // Never a link, never another mount (a bind mount of the same file system is one).
    int open_folder(int parent, const char* name) const
    {
        open_how how{};
        how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
        const long fd = ::syscall(SYS_openat2, parent, name, &how, sizeof how);
        if (fd >= 0 || errno != ENOSYS)
            return static_cast<int>(fd);
        Fd opened(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat status {};
        if (opened && ::fstat(opened.get(), &status) == 0 && status.st_dev != device_)
            return errno = EXDEV, -1;
        return opened.release();
    }

    void remove_entries(int folder, const std::string& path, int depth)
    {
        // A folder that may not be written or read by its owner has to become so. Others' folders say EPERM, told below.
        if (::faccessat(folder, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0)
            ::fchmod(folder, 0700);
        const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (copy < 0)
            return note(path, errno);
        const Directory directory(::fdopendir(copy));
        // Some file systems pass over entries when others are removed meanwhile: read again until nothing changes.
        for (bool removed = true; removed;) {
            removed = false;
            ::rewinddir(directory.get());
            while (const dirent* entry = ::readdir(directory.get()))
                if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
                    removed |= remove_entry(folder, path, entry->d_name, depth);
        }
    }

    bool remove_entry(int folder, const std::string& path, const char* name, int depth)
    {
        if (::unlinkat(folder, name, 0) == 0)
            return true;
        if (errno != EISDIR && errno != EPERM) // a folder says one or the other (unlink(2))
            return note(path + '/' + name, errno), false;
        const int why = errno;
        if (::unlinkat(folder, name, AT_REMOVEDIR) == 0)
            return true;
        if (errno == ENOTDIR)
            return note(path + '/' + name, why), false;
        return remove_folder(folder, path + '/' + name, name, depth);
    }

    bool remove_folder(int parent, const std::string& path, const char* name, int depth)
    {
        if (depth >= deepest) {
            const std::string up = ".jarvis-removal-" + std::to_string(::getpid()) + '-' + std::to_string(moved_ + 1);
            // A folder changes its ".." when it moves, so it must be writable itself.
            if (::renameat(parent, name, top_, up.c_str()) != 0
                && (errno != EACCES || ::fchmodat(parent, name, 0700, 0) != 0
                    || ::renameat(parent, name, top_, up.c_str()) != 0))
                return note(path, errno), false;
            ++moved_;
            return true;
        }
        Fd folder(open_folder(parent, name));
        if (!folder && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0)
            folder = Fd(open_folder(parent, name));
        if (!folder)
            return note(path, errno), false;
        remove_entries(folder.get(), path, depth + 1);
        if (::unlinkat(parent, name, AT_REMOVEDIR) == 0)
            return true;
        note(path, errno);
        return false;
    }
};

} // namespace

Result<void> remove_contents(const std::string& path)
{
    Fd top(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top && errno == EACCES && ::chmod(path.c_str(), 0700) == 0)
        top = Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top)
        return std::unexpected(system_error(errno, path));
    const std::string problem = Remover(top.get()).run(path);
    return problem.empty() ? Result<void>{} : fail(Errc::unavailable, "{}", problem);
}

} // namespace jarvis::shepherd
