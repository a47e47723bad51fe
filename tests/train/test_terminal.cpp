// What a terminal shows, by one that knows the sequences used.
#include "tests/temporary_folder.h"
#include "train/terminal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace steepest {
namespace {

std::vector<std::string> screen_of(const std::string& bytes) {
    std::vector<std::string> screen{""};
    std::size_t row = 0, column = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == '\n') {
            column = 0;
            if (++row == screen.size()) screen.emplace_back();
        } else if (bytes[i] == '\r') {
            column = 0;
        } else if (bytes.compare(i, 3, "\033[K") == 0) {
            screen[row].resize(column), i += 2;
        } else if (bytes.compare(i, 3, "\033[J") == 0) {
            screen.resize(row + 1), screen[row].resize(column), i += 2;
        } else if (bytes.compare(i, 2, "\033[") == 0) {  // one digit, up
            row -= static_cast<std::size_t>(bytes[i + 2] - '0'), i += 3;
        } else {
            screen[row].resize(std::max(screen[row].size(), column + 1)), screen[row][column++] = bytes[i];
        }
    }
    return screen;
}

TEST(TerminalTest, LiveLinesStayBelowTheMessagesAndGo) {
    const int file = ::memfd_create("terminal", MFD_CLOEXEC);
    Terminal terminal(file, true, 11);
    const auto screen = [file] {
        std::string bytes(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
        EXPECT_EQ(::pread(file, bytes.data(), bytes.size(), 0), std::ssize(bytes));
        return screen_of(bytes);
    };
    using Lines = std::vector<std::string>;
    terminal.draw("one\ntwo is too wide\nthree\n");
    EXPECT_EQ(screen(), (Lines{"one", "two is too", "three"}));
    terminal.message("said");
    EXPECT_EQ(screen(), (Lines{"said", "one", "two is too", "three"}));
    terminal.draw("1\n2");
    EXPECT_EQ(screen(), (Lines{"said", "1", "2"}));
    terminal.draw("alone");
    EXPECT_EQ(screen(), (Lines{"said", "alone"}));
    terminal.erase();
    terminal.message("end");
    EXPECT_EQ(screen(), (Lines{"said", "end", ""}));
    ::close(file);
}

}  // namespace
}  // namespace steepest
