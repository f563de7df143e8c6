// The records of a snapshot, each with its length in front: the header, the nodes, the jobs by id, the footer.
#pragma once

#include "base/result.hpp"
#include "cluster/state.hpp"
#include "journal.pb.h"
#include "journal/record_decoder.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::journal {

Result<void> read_header(cluster::StoredState& state, const SnapshotHeader& header);
Result<cluster::Node> read_node(const NodeRecord& record, NodeId id);
// Everything but the request: a task's is its array's. Whether its nodes exist is for the caller to see.
Result<std::shared_ptr<cluster::Job>> read_job(const JobRecord& record, std::shared_ptr<const JobRequest> request);
// A task that is a job of its own. Its array stands before it, in a `state` that may be partly read.
Result<std::shared_ptr<cluster::Job>> read_task(const JobRecord& record, const cluster::StoredState& state);

// A record as far as it can be read without what stands before it: that of a job or an array whole, any other as it came.
struct DecodedRecord {
    std::shared_ptr<cluster::Job> job;
    std::optional<cluster::ArrayProgress> progress; // of an array
    std::unique_ptr<SnapshotRecord> other;

    bool is_header() const { return other && other->has_header(); }
};

} // namespace jarvis::journal
