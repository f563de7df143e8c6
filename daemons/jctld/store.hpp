// The storage plugin, shared by the journal's thread and the followers, and reopened by the journal's thread alone.
#pragma once

#include "plugin/storage.hpp"

#include <memory>
#include <shared_mutex>
#include <string>

namespace jarvis::jctld {

class Store {
    std::unique_ptr<plugin::Storage> storage_;
    std::string folder_;
    mutable std::shared_mutex open_; // held shared by whoever is inside the storage, exclusively while it is reopened

public:
    Store(std::unique_ptr<plugin::Storage> storage, std::string folder)
        : storage_(std::move(storage)), folder_(std::move(folder))
    {
    }
    ~Store();

    Result<void> open(plugin::StorageMode mode);
    // Closes and opens again: what can be read after that is durable.
    Result<void> reopen();

    // Does not wait: while the storage is being reopened it has failed.
    plugin::StorageStatus status() const;

    // Runs f(storage), which returns a Result, unless the storage is closed.
    template <class F>
    auto use(F f) -> std::invoke_result_t<F, plugin::Storage&>
    {
        std::shared_lock lock(open_);
        if (!storage_->is_open())
            return fail(Errc::unavailable, "the storage is closed after a failure");
        return f(*storage_);
    }
    plugin::Append append(std::span<const plugin::Group> groups);
};

} // namespace jarvis::jctld
