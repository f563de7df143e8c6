#include "daemon/accounts.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace jarvis::daemon {

namespace {

using Clock = std::chrono::steady_clock;

// When the directory goes, threads that are busy get this long; after it they are left to themselves.
constexpr std::chrono::milliseconds patience_at_end{200};

// One kind of question: its threads, who waits for which answer, and the answers that are kept. Threads share its
// ownership, so that one that hangs in the name service outlives the directory without harm.
template <class Key, class Value>
class Lookups : public std::enable_shared_from_this<Lookups<Key, Value>> {
    // Lives in the waiting coroutine; touched on its executor only.
    struct Waiter {
        asio::steady_timer timer;
        std::optional<Result<Value>> answer;
    };
    struct Entry {
        std::optional<Result<Value>> answer;
        Clock::time_point expires{};
        bool asked = false; // in the queue or with a thread
        std::vector<std::weak_ptr<Waiter>> waiters;
    };

    std::function<Result<Value>(const Key&)> ask_;
    std::size_t max_threads_;
    AccountOptions options_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Key, Entry> entries_;
    std::deque<Key> queue_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
    bool stopped_ = false;

    bool start_thread();
    void run();
    Result<Value> ask(const Key& key) const;
    void settle(const Key& key, Result<Value> answer);
    Result<void> join_queue(const Key& key, Entry& entry);

public:
    Lookups(std::function<Result<Value>(const Key&)> ask, std::size_t max_threads, const AccountOptions& options)
        : ask_(std::move(ask)), max_threads_(max_threads), options_(options)
    {
    }
    // `what` names the question in messages: "uid 1000".
    asio::awaitable<Result<Value>> get(Key key, std::string what);
    void forget();
    void stop();
};

template <class Key, class Value>
bool Lookups<Key, Value>::start_thread()
{
    try {
        std::thread([self = this->shared_from_this()] { self->run(); }).detach();
        ++threads_;
        return true;
    } catch (const std::system_error&) { // no more threads: those that run have to do
        return threads_ > 0;
    }
}

template <class Key, class Value>
void Lookups<Key, Value>::run()
{
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
        --idle_;
        if (stopped_)
            break;
        Key key = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        auto answer = ask(key);
        lock.lock();
        if (stopped_)
            break;
        settle(key, std::move(answer));
    }
    --threads_;
    changed_.notify_all();
}

// The thread's edge: an exception (no memory) is this question's failure.
template <class Key, class Value>
Result<Value> Lookups<Key, Value>::ask(const Key& key) const
{
    try {
        return ask_(key);
    } catch (const std::exception& e) {
        return fail(Errc::unavailable, "the name service could not be asked: {}", e.what());
    }
}

template <class Key, class Value>
void Lookups<Key, Value>::settle(const Key& key, Result<Value> answer)
{
    auto& entry = entries_[key];
    for (auto& weak : entry.waiters)
        if (auto waiter = weak.lock()) {
            auto executor = waiter->timer.get_executor();
            asio::post(executor, [waiter = std::move(waiter), answer] {
                waiter->answer = answer;
                waiter->timer.cancel();
            });
        }
    entry.waiters.clear();
    entry.asked = false;
    bool is_answer = answer || answer.error().code == Errc::not_found;
    if (!is_answer) {
        entries_.erase(key);
        return;
    }
    entry.expires = Clock::now() + (answer ? options_.keep : options_.keep_absent);
    entry.answer = std::move(answer);
    if (entries_.size() > options_.max_kept)
        std::erase_if(entries_, [](const auto& item) { return !item.second.asked; });
}

template <class Key, class Value>
Result<void> Lookups<Key, Value>::join_queue(const Key& key, Entry& entry)
{
    if (entry.asked)
        return {};
    if (queue_.size() >= options_.max_waiting)
        return fail(Errc::unavailable, "too many lookups are waiting for the name service");
    if (idle_ <= queue_.size() && threads_ < max_threads_ && !start_thread())
        return fail(Errc::unavailable, "cannot start a thread to ask the name service");
    entry.asked = true;
    queue_.push_back(key);
    changed_.notify_one();
    return {};
}

template <class Key, class Value>
asio::awaitable<Result<Value>> Lookups<Key, Value>::get(Key key, std::string what)
{
    auto self = this->shared_from_this();
    auto executor = co_await asio::this_coro::executor;
    auto waiter = std::make_shared<Waiter>(Waiter{asio::steady_timer(executor, options_.deadline), {}});
    {
        std::lock_guard lock(mutex_);
        auto& entry = entries_[key];
        if (entry.answer && entry.expires > Clock::now())
            co_return *entry.answer;
        if (auto queued = stopped_ ? fail(Errc::unavailable, "stopping") : join_queue(key, entry); !queued) {
            entries_.erase(key);
            co_return fail(queued.error(), "{}", what);
        }
        std::erase_if(entry.waiters, [](const auto& weak) { return weak.expired(); });
        entry.waiters.push_back(waiter);
    }
    co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (waiter->answer)
        co_return std::move(*waiter->answer);
    if (waiter->timer.expiry() > Clock::now())
        co_return fail(Errc::unavailable, "{}: cancelled", what);
    co_return fail(Errc::unavailable, "{}: the name service did not answer within {} ms", what, options_.deadline.count());
}

template <class Key, class Value>
void Lookups<Key, Value>::forget()
{
    std::lock_guard lock(mutex_);
    for (auto& [key, entry] : entries_)
        entry.answer.reset();
    std::erase_if(entries_, [](const auto& item) { return !item.second.asked; });
}

template <class Key, class Value>
void Lookups<Key, Value>::stop()
{
    std::unique_lock lock(mutex_);
    stopped_ = true;
    queue_.clear();
    entries_.clear();
    changed_.notify_all();
    changed_.wait_for(lock, patience_at_end, [this] { return threads_ == 0; });
}

} // namespace

struct AccountDirectory::State {
    std::shared_ptr<Lookups<std::uint32_t, Account>> by_uid;
    std::shared_ptr<Lookups<std::string, std::uint32_t>> by_name;
};

AccountDirectory::AccountDirectory(NameService service, AccountOptions options)
    : state_(std::make_shared<State>(
          State{std::make_shared<Lookups<std::uint32_t, Account>>(std::move(service.account), options.uid_threads, options),
                std::make_shared<Lookups<std::string, std::uint32_t>>(std::move(service.uid), options.name_threads,
                                                                      options)}))
{
}

AccountDirectory::~AccountDirectory()
{
    state_->by_uid->stop();
    state_->by_name->stop();
}

asio::awaitable<Result<Account>> AccountDirectory::account(std::uint32_t uid)
{
    return state_->by_uid->get(uid, fmt::format("uid {}", uid));
}

asio::awaitable<Result<std::uint32_t>> AccountDirectory::uid_of(std::string user)
{
    std::string what = fmt::format("user \"{}\"", user);
    return state_->by_name->get(std::move(user), std::move(what));
}

void AccountDirectory::forget()
{
    state_->by_uid->forget();
    state_->by_name->forget();
}

} // namespace jarvis::daemon
