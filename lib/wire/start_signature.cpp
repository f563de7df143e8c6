#include "wire/start_signature.hpp"

#include "pki/signature.hpp"

namespace jarvis::wire {

namespace {

class Writer {
    std::string bytes_;

public:
    void number(std::uint64_t value)
    {
        for (int shift = 56; shift >= 0; shift -= 8)
            bytes_ += static_cast<char>(value >> shift);
    }
    void text(std::string_view value)
    {
        number(value.size());
        bytes_ += value;
    }
    template <class List>
    void texts(const List& list)
    {
        number(static_cast<std::uint64_t>(list.size()));
        for (const auto& one : list)
            text(one);
    }
    std::string take() { return std::move(bytes_); }
};

} // namespace

std::string signed_content(const StartJob& start, std::uint64_t epoch, std::string_view node)
{
    Writer writer;
    writer.text("jarvis start 1"); // another content gets another number here
    writer.text(start.cluster_uuid());
    writer.number(epoch);
    writer.number(start.job_id());
    writer.number(start.has_task() ? std::uint64_t{start.task()} + 1 : 0);
    writer.number(start.incarnation());
    writer.text(node);
    writer.number(static_cast<std::uint64_t>(start.role()));
    writer.text(start.node_list());
    const auto& request = start.request();
    const auto& account = request.account();
    writer.number(account.uid());
    writer.number(account.gid());
    writer.number(static_cast<std::uint64_t>(account.groups_size()));
    for (const auto group : account.groups())
        writer.number(group);
    for (const auto* value : {&account.user(), &account.group(), &account.home(), &account.shell()})
        writer.text(*value);
    writer.text(pki::sha256(start.script()));
    Writer environment;
    environment.texts(start.environment().variables());
    writer.text(pki::sha256(environment.take()));
    writer.texts(request.arguments());
    for (const auto* value : {&request.working_directory(), &request.output(), &request.error(), &request.input()})
        writer.text(*value);
    return writer.take();
}

Result<void> sign_start(StartJob& start, std::uint64_t epoch, std::string_view node, const pki::Key& key)
{
    auto signature = pki::sign(key, signed_content(start, epoch, node));
    if (!signature)
        return std::unexpected(signature.error());
    start.set_signature(std::move(*signature));
    return {};
}

Result<void> check_start(const StartJob& start, std::uint64_t epoch, std::string_view node, const pki::Certificate& controller)
{
    if (start.signature().empty())
        return fail(Errc::denied, "the start is not signed");
    return pki::check_signature(controller, signed_content(start, epoch, node), start.signature());
}

} // namespace jarvis::wire
