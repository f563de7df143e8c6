// Between the model's values and the messages of common.proto. `to_message` cannot fail; `from_message` believes nothing:
// counts, ranges, enumeration numbers, lengths and relations are checked, and the failure (Errc::corrupt; Errc::invalid for
// what a person may have asked for) names the field. In this namespace a plain `Account` is the message and
// `jarvis::Account` is the value.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "common.pb.h"
#include "model/core_set.hpp"
#include "model/job_id_text.hpp"
#include "model/job_request.hpp"
#include "model/job_state.hpp"
#include "model/placement.hpp"
#include "model/topology.hpp"
#include "model/usage.hpp"
#include "wire/job_id.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::wire {

// Requests (convert_job.cpp).
Account to_message(const jarvis::Account& account);
WarningSignal to_message(const jarvis::WarningSignal& warning);
ResourceLimit to_message(const jarvis::ResourceLimit& limit);
PlacementWishes to_message(const jarvis::PlacementWishes& wishes);
ResourceRequest to_message(const jarvis::ResourceRequest& resources);
// Of a complete request, as the journal and the nodes have it.
JobRequest to_message(const jarvis::JobRequest& request);
// The same without the list of an array's tasks and without dependencies, which may be long: for one task or start of it.
JobRequest to_task_message(const jarvis::JobRequest& request);

Result<jarvis::Account> from_message(const Account& account);
Result<jarvis::WarningSignal> from_message(const WarningSignal& warning);
Result<jarvis::ResourceLimit> from_message(const ResourceLimit& limit);
Result<jarvis::PlacementWishes> from_message(const PlacementWishes& wishes);
Result<jarvis::ResourceRequest> from_message(const ResourceRequest& resources);
// A complete request: an account, a partition and both hashes must be there.
Result<jarvis::JobRequest> from_message(const JobRequest& request);

// The request of a Submit, in which a client leaves out what the controller fills.
struct SubmittedRequest {
    jarvis::JobRequest request;      // account, script, script_size and environment are empty; partition may be
    std::optional<bool> requeue;     // absent: the controller's default
};
// Refuses control characters in names, besides what from_message refuses. Account, hashes and script size in the message
// are not looked at: they are the controller's word.
Result<SubmittedRequest> submitted_request(const JobRequest& request);
// The other direction, for clients: without account, hashes and script size; requeue only where it is said.
JobRequest to_submit_message(const SubmittedRequest& submitted);

// Arrays, dependencies, retries (convert_relations.cpp). An absent message is read as none of it.
IndexSet to_message(const jarvis::IndexSet& set);
JobSelection to_message(const jarvis::JobSelection& selection);
ArraySpec to_message(const jarvis::ArraySpec& array);
Dependencies to_message(const jarvis::Dependencies& dependencies);
RetryRule to_message(const jarvis::RetryRule& rule);

Result<jarvis::IndexSet> from_message(const IndexSet& set);
Result<jarvis::JobSelection> from_message(const JobSelection& selection);
Result<jarvis::ArraySpec> from_message(const ArraySpec& array);
Result<jarvis::Dependencies> from_message(const Dependencies& dependencies);
Result<jarvis::RetryRule> from_message(const RetryRule& rule);

// "NAME=VALUE" each; the order is kept. An environment blob is the serialised message.
Environment environment_message(std::span<const std::string> variables);
Result<void> check_environment(const Environment& environment);
Result<std::vector<std::string>> from_message(const Environment& environment);

// Placements and nodes (convert_node.cpp).
NumaShare to_message(const jarvis::NumaShare& share);
NodePlacement to_message(const jarvis::NodePlacement& placement);
Placement to_message(const jarvis::Placement& placement);
Topology to_message(const jarvis::Topology& topology);

Result<jarvis::NodePlacement> from_message(const NodePlacement& placement);
Result<jarvis::Placement> from_message(const Placement& placement);
Result<jarvis::Topology> from_message(const Topology& topology);

// Whether a placement is one of this node: its cores and NUMA nodes exist there.
Result<void> check_fits(const jarvis::NodePlacement& placement, const jarvis::Topology& topology);

// Ends and failures (convert.cpp).
Usage to_message(const jarvis::Usage& usage);
JobEnd to_message(const jarvis::JobEnd& end);
Error to_message(const jarvis::Error& error);

Result<jarvis::Usage> from_message(const Usage& usage);
Result<jarvis::JobEnd> from_message(const JobEnd& end);
// A code that this program does not know reads as `unavailable`; a message that is too long is cut.
jarvis::Error from_message(const Error& error);

Result<JobState> job_state_from(std::uint32_t number);

// For what holds these values: journal records, snapshots, and messages that this header does not cover.
Result<CoreSet> core_set_from(const google::protobuf::RepeatedField<std::uint64_t>& words);
void put_core_set(const CoreSet& set, google::protobuf::RepeatedField<std::uint64_t>& words);
Result<BlobHash> hash_from(std::string_view bytes, std::string_view field);
std::string hash_bytes(const BlobHash& hash);
Result<WallTime> wall_time_from(std::int64_t us, std::string_view field);
Result<Duration> duration_from(std::int64_t us, std::string_view field); // 0 or more
// At most `limit` bytes and no NUL.
Result<void> check_text(std::string_view text, std::size_t limit, std::string_view field);

} // namespace jarvis::wire
