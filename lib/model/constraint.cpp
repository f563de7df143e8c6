#include "model/constraint.hpp"

#include "base/escape.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace jarvis {

namespace {

constexpr std::size_t longest_feature = 64;

bool is_feature_start(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_feature_character(char c) { return is_feature_start(c) || c == '_' || c == '.' || c == '-'; }

void append(FeatureExpression& to, FeatureExpression&& from, FeatureOp op)
{
    const bool joined = !to.empty() && !from.empty();
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    if (joined)
        to.push_back({op, {}});
}

// Recursive descent; at_ is always the next byte to read. A Constraint is what every level returns: counts go up with it
// as long as only '&' joins them to the rest.
class ConstraintReader {
    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t terms_ = 0;
    std::size_t depth_ = 0;

    char peek() const { return at_ == text_.size() ? '\0' : text_[at_]; }

    template <class... Args>
    std::unexpected<Error> refuse(std::size_t at, fmt::format_string<Args...> format, Args&&... args) const
    {
        return fail(Errc::invalid, "constraint \"{}{}\", column {}: {}", escape_for_terminal(text_.substr(0, 100)),
                    text_.size() > 100 ? "..." : "", at + 1, fmt::format(format, std::forward<Args>(args)...));
    }

    Result<Constraint> either()
    {
        const auto start = at_;
        auto left = both();
        while (left && peek() == '|') {
            const auto bar = at_++;
            auto right = both();
            if (!right)
                return right;
            if (!left->counted.empty() || !right->counted.empty())
                return refuse(left->counted.empty() ? bar + 1 : start,
                              "a count is joined to the rest by \"&\"; it is no alternative of \"|\"");
            append(left->every, std::move(right->every), FeatureOp::either);
        }
        return left;
    }

    Result<Constraint> both()
    {
        auto left = term();
        while (left && peek() == '&') {
            ++at_;
            auto right = term();
            if (!right)
                return right;
            append(left->every, std::move(right->every), FeatureOp::both);
            std::ranges::move(right->counted, std::back_inserter(left->counted));
        }
        return left;
    }

    Result<Constraint> term()
    {
        const auto start = at_;
        auto value = peek() == '(' ? parentheses() : feature();
        if (!value || peek() != '*')
            return value;
        if (!value->counted.empty())
            return refuse(start, "a count inside a counted group; count its features one by one");
        const auto nodes = count();
        if (!nodes)
            return std::unexpected(nodes.error());
        return Constraint{{}, {FeatureCount{std::move(value->every), *nodes}}};
    }

    Result<Constraint> parentheses()
    {
        const auto open = at_++;
        if (++depth_ > max_constraint_terms)
            return refuse(open, "more than {} parentheses inside each other", max_constraint_terms);
        auto value = either();
        --depth_;
        if (!value)
            return value;
        if (peek() != ')')
            return refuse(at_ == text_.size() ? open : at_, "{}",
                          at_ == text_.size() ? "this \"(\" has no \")\"" : "expected \"&\", \"|\" or \")\"");
        ++at_;
        return value;
    }

    Result<Constraint> feature()
    {
        const auto start = at_;
        while (at_ < text_.size() && is_feature_character(text_[at_]))
            ++at_;
        const auto word = text_.substr(start, at_ - start);
        if (word.empty() && (peek() == '[' || peek() == '!'))
            return refuse(start, "\"{}\" is not known here; there are \"&\", \"|\", \"( )\" and \"*N\"", peek());
        if (word.empty())
            return refuse(start, "expected a feature: letters, digits, \"_\", \".\" and \"-\"");
        if (!is_feature_name(word))
            return refuse(start, "{}", word.size() > longest_feature ? "a feature has at most 64 bytes"
                                                                     : "a feature begins with a letter or digit");
        if (++terms_ > max_constraint_terms)
            return refuse(start, "more than {} features", max_constraint_terms);
        return Constraint{{{FeatureOp::feature, std::string(word)}}, {}};
    }

    Result<std::uint32_t> count()
    {
        const auto start = ++at_;
        std::uint32_t value = 0;
        const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (error != std::errc() || value == 0 || value > max_constraint_nodes)
            return refuse(start, "expected behind \"*\" a number of nodes, from 1 to {}", max_constraint_nodes);
        at_ = static_cast<std::size_t>(end - text_.data());
        return value;
    }

public:
    explicit ConstraintReader(std::string_view text) : text_(text) {}

    Result<Constraint> run()
    {
        auto value = either();
        if (value && at_ < text_.size())
            return refuse(at_, "{}", peek() == ')'   ? "this \")\" has no \"(\""
                                     : peek() == ',' ? "features are joined by \"&\" (all) or \"|\" (one of them), not by \",\""
                                                     : "expected \"&\", \"|\" or \"*\" behind a feature");
        return value;
    }
};

// An expression as text, and the operator that joins its outermost parts.
struct Written {
    std::string text;
    FeatureOp op = FeatureOp::feature;
};

std::string in_parentheses(const Written& part, bool wanted) { return wanted ? '(' + part.text + ')' : part.text; }

Written write(const FeatureExpression& expression)
{
    std::vector<Written> stack;
    for (const auto& step : expression) {
        if (step.op == FeatureOp::feature) {
            stack.push_back({step.feature, step.op});
            continue;
        }
        assert(stack.size() >= 2);
        const auto right = std::move(stack.back());
        stack.pop_back();
        auto& left = stack.back();
        // Operators of one kind are read from the left; what stands on the right in one group keeps its parentheses.
        const bool both = step.op == FeatureOp::both;
        left.text = in_parentheses(left, both && left.op == FeatureOp::either) + (both ? '&' : '|') +
                    in_parentheses(right, right.op == step.op || (both && right.op == FeatureOp::either));
        left.op = step.op;
    }
    return stack.empty() ? Written{} : std::move(stack.back());
}

} // namespace

bool is_feature_name(std::string_view text)
{
    return !text.empty() && text.size() <= longest_feature && is_feature_start(text.front()) &&
           std::ranges::all_of(text, is_feature_character);
}

Result<Constraint> parse_constraint(std::string_view text)
{
    if (text.empty())
        return fail(Errc::invalid, "the constraint is empty; expected features, as in \"ib&(rack1|rack2)\"");
    return ConstraintReader(text).run();
}

std::string format_constraint(const Constraint& constraint)
{
    const auto every = write(constraint.every);
    auto text = in_parentheses(every, every.op == FeatureOp::either && !constraint.counted.empty());
    for (const auto& [features, nodes] : constraint.counted) {
        const auto part = write(features);
        text += fmt::format("{}{}*{}", text.empty() ? "" : "&", in_parentheses(part, part.op != FeatureOp::feature), nodes);
    }
    return text;
}

bool holds(const FeatureExpression& expression, const std::vector<std::string>& features)
{
    std::uint64_t stack = 1; // one bit per value, the last one lowest; at most max_constraint_terms of them
    static_assert(max_constraint_terms <= 64);
    for (const auto& step : expression) {
        if (step.op == FeatureOp::feature) {
            stack = stack << 1 | static_cast<std::uint64_t>(std::ranges::find(features, step.feature) != features.end());
            continue;
        }
        const bool right = stack & 1, left = stack >> 1 & 1;
        stack = (stack >> 2) << 1 | static_cast<std::uint64_t>(step.op == FeatureOp::both ? left && right : left || right);
    }
    return stack & 1;
}

bool matches(const Constraint& constraint, const std::vector<std::string>& features)
{
    return holds(constraint.every, features);
}

} // namespace jarvis
