// Questions to nodes and their answers. They are neither state nor events: a question is put to the node's connection as it is now,
// and what does not come back in time is answered for it. Everything here runs on the front's loop.
#pragma once

#include "base/ids.hpp"
#include "front.hpp"
#include "node.pb.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace jarvis::jctld {

class NodeQuestions {
    // Some nodes that are asked at once for one asker.
    struct Wave {
        std::vector<wire::NodeAnswers::Item> items;
        std::size_t open = 0;
        asio::steady_timer done;
    };
    struct Waiting {
        NodeId node;
        std::shared_ptr<Wave> wave;
        std::size_t index; // of its item
    };
    Front& front_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Waiting> waiting_;

    void close(std::map<std::uint64_t, Waiting>::iterator waiting);
    void put(const std::shared_ptr<Wave>& wave, std::size_t index, NodeId node, wire::NodeQuestion question);

public:
    explicit NodeQuestions(Front& front) : front_(front) {}

    struct Asked {
        NodeId node;
        std::string name;
    };
    // Asks each of them the same. Each has an item, in their order: a node that is away, too old, overcharged or silent has an error.
    asio::awaitable<std::vector<wire::NodeAnswers::Item>> ask(std::vector<Asked> nodes, wire::NodeQuestion question);

    // Of the connection that this node has now. What nobody waits for any more is dropped.
    void answered(NodeId node, wire::NodeAnswer answer);
    // It has no connection any more.
    void lost(NodeId node);
};

// AskNodes: who may ask, which nodes are meant, and the stream of answers. An error: nothing was asked.
asio::awaitable<Result<void>> answer_question(Front& front, wire::ChannelPtr channel, cluster::Caller caller, wire::Request request);

} // namespace jarvis::jctld
