#include "shm_choice.hpp"

#include "shm/private_shm.hpp"

#include <algorithm>

namespace jarvis::noded {
namespace {

bool is_in_shm(const std::string& path)
{
    return path.starts_with(shm::folder) && (path.size() == shm::folder.size() || path[shm::folder.size()] == '/');
}

} // namespace

ShmChoice choose_shm(const std::string& setting, Confinement level, const std::vector<std::string>& needed, Result<void> (*possible)())
{
    if (setting == "off" || (setting == "auto" && level != Confinement::full))
        return {};
    if (const auto hidden = std::ranges::find_if(needed, is_in_shm); hidden != needed.end())
        return {.problem = fmt::format("private_shm: {} has to be seen in jobs, and is in /dev/shm: configure another place for it",
                                       *hidden)};
    if (const auto tried = possible(); !tried)
        return {.problem = fmt::format("private_shm: {}: what jobs leave in /dev/shm stays there; this daemon needs CAP_SYS_ADMIN, which "
                                       "containers do not give",
                                       tried.error().message)};
    return {.given = true, .problem = {}};
}

} // namespace jarvis::noded
