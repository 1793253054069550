# Doorkeeper as a peer of the benchmark: ruby server.rb STOCK COUNT DATABASE
# makes its tables in the PostgreSQL at the URL DATABASE, prepares COUNT authorizations
# of each kind, writes their tokens to the file STOCK, and says where it listens. Where
# Doorkeeper has a choice it is left at its default: tokens are kept as they are, and a
# refresh token ends when the access token that it was exchanged for is used.
ENV["RAILS_ENV"] = "production"

require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "doorkeeper"
require "puma"
require "puma/configuration"
require "puma/launcher"

FILE, COUNT, DATABASE = ARGV[0], Integer(ARGV[1]), ARGV[2]
VERIFIER = "dBjftJeZ4CVP-mBbQ2LeQw8nKUlz0w1cTJq9sVxYzAE"
REDIRECT_URI = "https://app.example.com/callback"
# One process for each of two cores, as Ruby computes in one thread of a process at a
# time. The threads are enough for every connection of the benchmark: with fewer, Puma
# closes connections while others wait, and serves them unfairly.
WORKERS = 2
THREADS = 64

Doorkeeper.configure do
  orm :active_record
  api_only
  grant_flows %w[authorization_code client_credentials]
  use_refresh_token
  default_scopes :profile
end

class Peer < Rails::Application
  config.load_defaults 6.1
  config.root = __dir__
  config.api_only = true
  config.cache_classes = true
  config.eager_load = true
  config.logger = Logger.new(nil)
  config.log_level = :fatal
  config.secret_key_base = SecureRandom.hex(64)
end

# migrate runs what Doorkeeper's generators would have written for a new application.
def migrate
  templates = File.join(Gem.loaded_specs["doorkeeper"].full_gem_path, "lib/generators/doorkeeper/templates")
  migration_version = "[#{ActiveRecord::Migration.current_version}]"
  ActiveRecord::Migration.verbose = false
  { "migration.rb.erb" => "CreateDoorkeeperTables", "enable_pkce_migration.rb.erb" => "EnablePkce" }.each do |name, made|
    eval(ERB.new(File.read(File.join(templates, name))).result(binding), TOPLEVEL_BINDING)
    Object.const_get(made).migrate(:up)
  end
end

def prepare
  applications = Array.new(100) do |i|
    Doorkeeper::Application.create!(name: "Application #{i}", redirect_uri: REDIRECT_URI, scopes: "profile")
  end
  token = -> { Doorkeeper::OAuth::Helpers::UniqueToken.generate }
  common = lambda do |i|
    { application_id: applications[i % applications.size].id, resource_owner_id: i + 1, scopes: "profile",
      expires_in: 1.day.to_i, created_at: Time.now.utc }
  end
  access = Array.new(COUNT) { |i| { **common[i], token: token.call, refresh_token: token.call } }
  codes = Array.new(COUNT) do |i|
    { **common[i], token: token.call, redirect_uri: REDIRECT_URI,
      code_challenge: Doorkeeper::AccessGrant.generate_code_challenge(VERIFIER), code_challenge_method: "S256" }
  end
  access.each_slice(5_000) { |rows| Doorkeeper::AccessToken.insert_all!(rows) }
  codes.each_slice(5_000) { |rows| Doorkeeper::AccessGrant.insert_all!(rows) }
  { version: "doorkeeper #{Doorkeeper::VERSION::STRING}, rails #{Rails.version}, puma #{Puma::Const::VERSION}, ruby #{RUBY_VERSION}",
    clients: applications.map { |a| { id: a.uid, secret: a.plaintext_secret } },
    redirect_uri: REDIRECT_URI, verifier: VERIFIER,
    access: access.pluck(:token), refresh: access.pluck(:refresh_token), codes: codes.pluck(:token) }
end

ENV["DATABASE_URL"] = "#{DATABASE}&pool=#{THREADS}"
Peer.initialize!
migrate
Peer.routes.draw { use_doorkeeper { skip_controllers :applications, :authorized_applications, :authorizations } }
File.write(FILE, prepare.to_json)
["vacuum analyze", "checkpoint"].each { |statement| ActiveRecord::Base.connection.execute(statement) }
ActiveRecord::Base.clear_all_connections!

configuration = Puma::Configuration.new do |puma|
  puma.bind "tcp://127.0.0.1:0"
  puma.workers WORKERS
  puma.threads THREADS, THREADS
  puma.preload_app!
  puma.app Peer
end
# Puma tells about itself before it listens.
out = $stdout.dup
$stdout.reopen(File::NULL)
launcher = Puma::Launcher.new(configuration)
launcher.events.on_booted do
  out.puts "listening on http://127.0.0.1:#{launcher.connected_ports.first}"
  out.close
end
launcher.run
