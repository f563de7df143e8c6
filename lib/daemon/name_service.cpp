// The system's own name service (nsswitch.conf): blocking, and as slow as whatever it asks.
#include "daemon/accounts.hpp"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <vector>

namespace jarvis::daemon {

namespace {

// An entry of a group with very many members is big.
constexpr std::size_t max_entry = std::size_t{16} << 20;

// Calls a get*_r function with a buffer that grows until the entry fits. Errors by which "no such entry" is said as well
// are listed in getpwnam(3).
template <class Entry, class Call>
Result<Entry*> look_up(Entry& entry, std::vector<char>& buffer, Call call)
{
    buffer.resize(4096);
    while (true) {
        Entry* found = nullptr;
        int error = call(&entry, buffer.data(), buffer.size(), &found);
        if (error == EINTR)
            continue;
        if (error == ERANGE && buffer.size() < max_entry) {
            buffer.resize(buffer.size() * 4);
            continue;
        }
        if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
            return error == 0 ? found : nullptr;
        return std::unexpected(system_error(error, "the name service failed"));
    }
}

std::string group_name(gid_t gid)
{
    group entry{};
    std::vector<char> buffer;
    auto found = look_up(entry, buffer,
                         [gid](auto... arguments) { return ::getgrgid_r(gid, arguments...); });
    // A group without a name is common with uids made up for containers: its number does as well.
    return found && *found ? (*found)->gr_name : fmt::format("{}", gid);
}

std::vector<std::uint32_t> supplementary_groups(const char* user, gid_t gid)
{
    std::vector<gid_t> groups(64);
    int count = static_cast<int>(groups.size());
    // It says in `count` how many there are; glibc may find more the next time, hence the loop.
    while (::getgrouplist(user, gid, groups.data(), &count) < 0) {
        groups.resize(std::max(static_cast<std::size_t>(std::max(count, 0)), groups.size() * 2));
        count = static_cast<int>(groups.size());
    }
    groups.resize(static_cast<std::size_t>(count));
    std::sort(groups.begin(), groups.end());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    std::erase(groups, gid);
    return {groups.begin(), groups.end()};
}

} // namespace

Result<Account> look_up_account(std::uint32_t uid)
{
    passwd entry{};
    std::vector<char> buffer;
    auto found = look_up(entry, buffer, [uid](auto... arguments) { return ::getpwuid_r(uid, arguments...); });
    if (!found)
        return fail(found.error(), "uid {}", uid);
    if (*found == nullptr)
        return fail(Errc::not_found, "there is no user with uid {}", uid);
    Account account;
    account.uid = entry.pw_uid;
    account.gid = entry.pw_gid;
    account.user = entry.pw_name;
    account.home = entry.pw_dir;
    account.shell = entry.pw_shell[0] != '\0' ? entry.pw_shell : "/bin/sh"; // as login does: passwd(5)
    account.groups = supplementary_groups(entry.pw_name, entry.pw_gid);
    account.group = group_name(entry.pw_gid);
    return account;
}

Result<std::uint32_t> look_up_uid(const std::string& user)
{
    passwd entry{};
    std::vector<char> buffer;
    auto found = look_up(entry, buffer, [&user](auto... arguments) { return ::getpwnam_r(user.c_str(), arguments...); });
    if (!found)
        return fail(found.error(), "user {}", user);
    if (*found == nullptr)
        return fail(Errc::not_found, "there is no user \"{}\"", user);
    return entry.pw_uid;
}

NameService system_name_service() { return {look_up_account, look_up_uid}; }

} // namespace jarvis::daemon
