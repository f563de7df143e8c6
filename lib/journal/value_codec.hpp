// The parts that events and snapshot records share.
#pragma once

#include "base/result.hpp"
#include "cluster/state.hpp"
#include "journal.pb.h"

namespace jarvis::journal {

Settings to_message(const cluster::Settings& settings);
Registration to_message(const cluster::Registration& registration);
Hold to_message(const cluster::Hold& hold);
Suspension to_message(const cluster::Suspension& suspension);
Stop to_message(const cluster::Stop& stop);
Drain to_message(const cluster::Drain& drain);
Down to_message(const cluster::Down& down);
Ending to_message(const cluster::Ending& ending);
BootClock to_message(const cluster::BootClock& clock);

Result<cluster::Settings> from_message(const Settings& settings);
Result<cluster::Registration> from_message(const Registration& registration);
cluster::Hold from_message(const Hold& hold);
cluster::Suspension from_message(const Suspension& suspension);
cluster::Stop from_message(const Stop& stop);
cluster::Drain from_message(const Drain& drain);
cluster::Down from_message(const Down& down);
Result<cluster::Ending> from_message(const Ending& ending);
cluster::BootClock from_message(const BootClock& clock);

// Whether elapsed time and the wall clock's offset from it can be added without another look.
Result<void> check_times(Instant now, Duration wall_offset);
// The same of an instant with the wall time that it was.
Result<void> check_moment(Instant at, WallTime wall);

// 16 bytes: a UUID, a request id, a digest.
Result<std::array<std::uint8_t, 16>> sixteen_bytes(std::string_view bytes, std::string_view what);
inline std::string bytes_of(const std::array<std::uint8_t, 16>& value) { return {value.begin(), value.end()}; }

// Of any message that has `job` and an optional `task`.
template <class Message>
void put_job(JobId id, Message& message)
{
    message.set_job(id.value);
    if (id.is_task())
        message.set_task(id.task);
}
template <class Message>
JobId job_in(const Message& message)
{
    return {message.job(), message.has_task() ? message.task() : JobId::no_task};
}

inline std::int64_t microseconds(Instant at) { return at.time_since_epoch().count(); }
inline std::int64_t microseconds(WallTime at) { return at.time_since_epoch().count(); }
inline Instant instant(std::int64_t us) { return Instant(Duration(us)); }
inline WallTime wall_time(std::int64_t us) { return WallTime(Duration(us)); }

} // namespace jarvis::journal
