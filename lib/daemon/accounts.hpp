// Who a uid is: the name service (files, LDAP, sssd) asked in threads of its own, with a cache and a deadline, so that a
// slow answer delays whoever it is about and nobody else.
#pragma once

#include "base/result.hpp"
#include "model/job_request.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace jarvis::daemon {

namespace asio = boost::asio;

// The two questions. They may block for as long as they like and are called from several threads at once.
// `not_found` is an answer and is remembered; any other failure is not.
struct NameService {
    std::function<Result<Account>(std::uint32_t uid)> account;
    std::function<Result<std::uint32_t>(const std::string& user)> uid;
};
// getpwuid_r, getgrouplist, getgrgid_r, getpwnam_r.
NameService system_name_service();
// Straight, for a caller that may block.
Result<Account> look_up_account(std::uint32_t uid);
Result<std::uint32_t> look_up_uid(const std::string& user);

struct AccountOptions {
    // As many different slow uids do not delay others. Threads start when they are needed.
    std::size_t uid_threads = 16;
    // Names come from filters that anybody may type, so they have threads of their own.
    std::size_t name_threads = 4;
    std::size_t max_waiting = 1024;                       // lookups that found no thread yet; more are `unavailable`
    std::chrono::milliseconds deadline = std::chrono::seconds(10);
    std::chrono::milliseconds keep = std::chrono::seconds(60);
    std::chrono::milliseconds keep_absent = std::chrono::seconds(10);
    std::size_t max_kept = 65536;                         // answers; then the cache starts anew
};

// Calls may come from any strand or single-threaded loop, and answers arrive there. Lookups of the same uid share one
// call of the name service; one that answers after the deadline still fills the cache. The directory goes before the
// loops that use it. A name service that never returns does not keep the process from ending.
class AccountDirectory {
    struct State;
    std::shared_ptr<State> state_;

public:
    explicit AccountDirectory(NameService service = system_name_service(), AccountOptions options = {});
    AccountDirectory(const AccountDirectory&) = delete;
    AccountDirectory& operator=(const AccountDirectory&) = delete;
    ~AccountDirectory();

    // `not_found`: no such user; `unavailable`: the name service failed or is too slow.
    asio::awaitable<Result<Account>> account(std::uint32_t uid);
    asio::awaitable<Result<std::uint32_t>> uid_of(std::string user);
    // The next question asks the name service again (after a reload).
    void forget();
};

} // namespace jarvis::daemon
