#include "core/error.h"
#include "core/file.h"
#include "tests/temporary_folder.h"

#include <csignal>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace steepest {
namespace {

namespace fs = std::filesystem;
using testing::message_of;

using File = testing::TemporaryFolder;

TEST_F(File, WritesAndReadsBack) {
    const std::string text("a\0b\nc", 5);
    write_file(path("x"), text);
    EXPECT_EQ(read_file(path("x")), text);
    write_file(path("x"), "");
    EXPECT_EQ(read_file(path("x")), "");
    EXPECT_EQ(names(), std::vector<std::string>{"x"});
}

TEST_F(File, MapMovesAndOwns) {
    write_file(path("x"), "hello");
    MappedFile a(path("x"));
    MappedFile b(std::move(a));
    EXPECT_EQ(a.data(), nullptr);
    EXPECT_EQ(a.size(), 0);
    EXPECT_EQ(b.text(), "hello");
    EXPECT_EQ(b.path(), path("x"));
    b = MappedFile();
    EXPECT_EQ(b.size(), 0);
}

// The map is of the file that was opened, not of the name.
TEST_F(File, MapSurvivesReplacement) {
    write_file(path("x"), "before");
    const MappedFile map(path("x"));
    write_file(path("x"), "after it");
    EXPECT_EQ(map.text(), "before");
    EXPECT_EQ(read_file(path("x")), "after it");
}

TEST_F(File, ReadingErrorsNamePathAndReason) {
    EXPECT_EQ(message_of<InputError>([&] { MappedFile(path("none")); }),
              path("none") + ": cannot open: No such file or directory");
    EXPECT_EQ(message_of<InputError>([&] { MappedFile{folder()}; }), folder() + ": cannot read: Is a directory");
    ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
    EXPECT_EQ(message_of<InputError>([&] { MappedFile(path("pipe")); }),
              path("pipe") + ": cannot read: not a regular file");
}

TEST_F(File, SmallAndLargeWritesKeepTheirOrder) {
    std::string expected;
    AtomicFile file(path("x"));
    // Below, at and above the megabyte that is gathered, in turn.
    for (const std::size_t n : {1u, 1u << 20, 3u, (1u << 20) + 1, 5u, 700000u, 700000u, 0u, 3u << 20, 9u}) {
        const std::string piece(n, static_cast<char>('a' + expected.size() % 26));
        file.write(piece);
        expected += piece;
        EXPECT_EQ(file.size(), static_cast<std::int64_t>(expected.size()));
    }
    file.commit();
    EXPECT_TRUE(read_file(path("x")) == expected);
}

TEST_F(File, NothingIsThereBeforeCommitNorAfterGivingUp) {
    write_file(path("x"), "old");
    {
        AtomicFile file(path("x"));
        file.write("new and unfinished");
        EXPECT_EQ(read_file(path("x")), "old");
    }
    EXPECT_EQ(read_file(path("x")), "old");
    EXPECT_EQ(names(), std::vector<std::string>{"x"});
}

TEST_F(File, TwoWritersOfOneNameDoNotMix) {
    AtomicFile a(path("x")), b(path("x"));
    a.write("aaaa"), b.write("bb");
    a.commit();
    EXPECT_EQ(read_file(path("x")), "aaaa");
    b.commit();
    EXPECT_EQ(read_file(path("x")), "bb");
}

TEST_F(File, WritingErrorsNamePathAndReason) {
    EXPECT_EQ(message_of<StorageError>([&] { write_file(path("none/x"), "text"); }),
              path("none/x") + ": cannot write: No such file or directory");
    // A folder stands where the file should be: the write succeeds and the rename cannot.
    fs::create_directories(path("taken/full"));
    const std::string error = message_of<StorageError>([&] { write_file(path("taken"), "text"); });
    EXPECT_TRUE(error.starts_with(path("taken") + ": cannot rename ")) << error;
    EXPECT_TRUE(error.ends_with("Is a directory")) << error;
    EXPECT_EQ(names(), std::vector<std::string>{"taken"});
}

// A limit on the size of files stands in for a full disk: the system refuses the write in the middle.
TEST_F(File, ADiskThatFillsUpLeavesTheOldFile) {
    write_file(path("x"), "old");
    rlimit before;
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::string error =
        message_of<StorageError>([&] { write_file(path("x"), std::string(std::size_t{3} << 20, 'n')); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(error, path("x") + ": cannot write: File too large");
    EXPECT_EQ(read_file(path("x")), "old");
    EXPECT_EQ(names(), std::vector<std::string>{"x"});
}

TEST_F(File, AFolderIsRenamedAtOnce) {
    fs::create_directories(path("step.tmp"));
    write_file(path("step.tmp/weights"), "w");
    rename_durably(path("step.tmp"), path("step"));
    EXPECT_EQ(read_file(path("step/weights")), "w");
    EXPECT_EQ(names(), std::vector<std::string>{"step"});
    const std::string error = message_of<StorageError>([&] { rename_durably(path("gone"), path("step")); });
    EXPECT_NE(error.find("No such file or directory"), std::string::npos) << error;
}

}  // namespace
}  // namespace steepest
