#include "temporary_folder.hpp"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::shepherd {
namespace {

// A hung file system must not keep a job from ending for ever.
constexpr int removal_limit_ms = 600'000;

// Gone, also when somebody else was quicker.
bool remove_if_empty(const std::string& path)
{
    return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

} // namespace

Result<void> make_temporary_folder(const std::string& path, const Owner& owner)
{
    if (::mkdir(path.c_str(), 0700) != 0)
        return std::unexpected(system_error(errno, "cannot make temporary folder " + path));
    if (!must_change_identity(owner) || ::lchown(path.c_str(), owner.uid, owner.gid) == 0)
        return {};
    auto error = system_error(errno, "cannot give temporary folder " + path + " to its owner");
    ::rmdir(path.c_str());
    return std::unexpected(std::move(error));
}

Result<void> remove_temporary_folder(const std::string& path, const Owner& owner)
{
    if (remove_if_empty(path))
        return {};
    auto removed = do_as_owner(owner, removal_limit_ms, [&] { return remove_contents(path); });
    if (remove_if_empty(path))
        return {};
    const int why = errno;
    const std::string what = "cannot remove temporary folder " + path;
    return removed ? std::unexpected(system_error(why, what)) : fail(removed.error(), "{}", what);
}

} // namespace jarvis::shepherd
