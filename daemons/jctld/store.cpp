#include "store.hpp"

namespace jarvis::jctld {

Store::~Store()
{
    storage_->close();
}

Result<void> Store::open(plugin::StorageMode mode)
{
    std::unique_lock lock(open_);
    return storage_->open(folder_, mode);
}

Result<void> Store::reopen()
{
    std::unique_lock lock(open_);
    storage_->close();
    return storage_->open(folder_, plugin::StorageMode::read_write);
}

plugin::StorageStatus Store::status() const
{
    std::shared_lock lock(open_, std::try_to_lock);
    if (!lock || !storage_->is_open())
        return {plugin::StorageCondition::failed, "the storage is being reopened after a failure"};
    return storage_->status();
}

plugin::Append Store::append(std::span<const plugin::Group> groups)
{
    std::shared_lock lock(open_);
    if (!storage_->is_open())
        return {plugin::AppendOutcome::refused, {Errc::unavailable, "the storage is closed after a failure"}};
    return storage_->append(groups);
}

} // namespace jarvis::jctld
