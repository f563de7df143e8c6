#include "client/from_here.hpp"

#include "wire/convert.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

// The folder as the user's shell knows it, where that is the same folder: it may lead over a link that another node
// has too, while the path behind it exists here alone (automounters).
Result<std::string> current_folder()
{
    struct stat here {}, there {};
    const char* logical = std::getenv("PWD");
    if (logical && logical[0] == '/' && ::stat(".", &here) == 0 && ::stat(logical, &there) == 0 && here.st_dev == there.st_dev &&
        here.st_ino == there.st_ino)
        return logical;
    char path[PATH_MAX];
    if (!::getcwd(path, sizeof path))
        return std::unexpected(system_error(errno, "cannot tell the current folder"));
    return path;
}

std::string host_name()
{
    char name[HOST_NAME_MAX + 1] = {};
    ::gethostname(name, sizeof name - 1);
    return name;
}

} // namespace

Result<void> describe_here(SubmitOptions& options)
{
    auto& request = options.submitted.request;
    const auto here = current_folder();
    if (!here)
        return std::unexpected(here.error());
    request.submit_directory = *here;
    request.working_directory = options.chdir.starts_with('/') ? options.chdir : options.chdir.empty() ? *here : *here + "/" + options.chdir;
    request.submit_host = host_name();
    const auto mask = ::umask(0);
    ::umask(mask);
    request.umask = mask;
    auto limits = current_limits(options.propagated);
    if (!limits)
        return std::unexpected(limits.error());
    request.limits = std::move(*limits);
    return {};
}

wire::Environment collect_environment(const ExportPolicy& policy, std::span<const std::string> all,
                                      const std::function<void(std::string_view)>& warn)
{
    auto exported = export_environment(policy, all);
    for (const auto& name : exported.missing)
        warn(fmt::format("warning: --export: {} is not set here", name));
    // What the submitter's PATH is, is theirs to say; only our own folder must not hide the JSON processor from scripts.
    for (auto& variable : exported.variables)
        if (variable.starts_with("PATH="))
            variable = "PATH=" + path_without_first(std::string_view(variable).substr(5), own_folder_with_jq());
    return wire::environment_message(exported.variables);
}

} // namespace jarvis::client
