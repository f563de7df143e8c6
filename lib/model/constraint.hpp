// --constraint=ib&(rack1|rack2), rack1*2&rack2*4: features that the nodes of a job must have.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis {

// Stored by number: never renumber.
enum class FeatureOp : std::uint8_t {
    feature = 1, // the node has it
    both = 2,    // the two values before it hold
    either = 3,  // one of the two does
};

struct FeatureStep {
    FeatureOp op = FeatureOp::feature;
    std::string feature; // of FeatureOp::feature
    friend bool operator==(const FeatureStep&, const FeatureStep&) = default;
};

// In postfix order, so that no text can make a deep tree; empty: true of every node.
using FeatureExpression = std::vector<FeatureStep>;

// At least so many nodes of the job for which the expression holds.
struct FeatureCount {
    FeatureExpression features;
    std::uint32_t nodes = 0;
    friend bool operator==(const FeatureCount&, const FeatureCount&) = default;
};

struct Constraint {
    FeatureExpression every;          // must hold for each node of the job
    std::vector<FeatureCount> counted; // all of them, for the job's nodes together; a node may serve several
    bool empty() const { return every.empty() && counted.empty(); }
    std::span<const FeatureCount> counts() const { return counted; }
    friend bool operator==(const Constraint&, const Constraint&) = default;
};

constexpr std::size_t max_constraint_terms = 64;      // features named in one constraint
constexpr std::uint32_t max_constraint_nodes = 65536; // of one count

// Letters, digits, '_', '.' and '-', beginning with a letter or digit; at most 64 bytes.
bool is_feature_name(std::string_view text);

// Features joined by '&' and '|' ('&' binds tighter), in parentheses; FEATURE*N or (...)*N, which stand alone or are
// joined to the rest by '&'. Failures name the column, from 1.
Result<Constraint> parse_constraint(std::string_view text);
// Read back by parse_constraint to the same; what holds for each node comes first.
std::string format_constraint(const Constraint& constraint);

bool holds(const FeatureExpression& expression, const std::vector<std::string>& features);
// Whether a node with these features may be in the job at all; the counts are not looked at.
bool matches(const Constraint& constraint, const std::vector<std::string>& features);

} // namespace jarvis
